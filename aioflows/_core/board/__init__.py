"""The state of a live board: counts by flow and time, runs that go on, and what changed since when."""
