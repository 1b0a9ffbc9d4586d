"""Every order but that of trigger times."""
