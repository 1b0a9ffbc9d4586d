"""Where a range is cut, so that its parts have about as many rows each."""
