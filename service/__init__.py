"""The clip service: pairs of frames in, video clips out."""
