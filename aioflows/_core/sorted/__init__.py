"""Scans in any order other than that of trigger times."""
