"""What is not proven yet, and which request to send next."""
