"""The emulated world: which rows exist."""
