"""Which windows to poll, and which instances were seen."""
