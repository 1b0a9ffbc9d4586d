"""Which rows exist."""
