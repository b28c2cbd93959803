"""What the service does, step by step: generate, submit, receive, poll, check."""
