"""Waiting for instances: which requests show how they stand, and which statuses end a wait."""
