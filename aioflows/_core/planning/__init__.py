"""The gaps of a scan, and the choice of the next request."""
