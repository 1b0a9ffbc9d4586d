"""The command line: ``aioflows demo``, ``aioflows scan`` and ``aioflows emulate``."""
