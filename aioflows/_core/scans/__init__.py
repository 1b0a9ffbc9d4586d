"""The machines that the engine runs: the keyset scan of one schedule type, and the three types merged."""
