"""The wire format: bytes to values and back, and the meaning of an answer."""
