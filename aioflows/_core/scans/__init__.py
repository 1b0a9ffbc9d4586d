"""What the engine runs: the keyset scan of a schedule type, and the three types merged."""
