"""Tokens, signatures and throttling."""
