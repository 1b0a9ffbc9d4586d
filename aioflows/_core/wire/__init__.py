"""Bytes to values and back, and what an answer means."""
