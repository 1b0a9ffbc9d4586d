"""A scan whose filters the service may apply only in part."""
