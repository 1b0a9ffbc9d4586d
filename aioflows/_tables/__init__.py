"""Instances as columns."""
