"""The emulated world: the rows that exist, and their clock."""
