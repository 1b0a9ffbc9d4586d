"""Filters: checks and probes for filters that the service may apply only in part."""
