"""One gate for the sessions of many processes: its messages, the share of each session, and what was read."""
