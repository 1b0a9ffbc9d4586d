"""Decides everything about a scan, without I/O, clock or randomness."""
