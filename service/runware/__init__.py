"""All that knows Runware's wire format; what is not verified in it is read defensively."""
