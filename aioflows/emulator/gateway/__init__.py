"""The emulated gateway: tokens, signatures and throttling."""
