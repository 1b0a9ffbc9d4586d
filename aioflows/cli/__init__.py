"""The command line: ``aioflows demo``, ``scan``, ``report``, ``follow`` and ``emulate``."""
