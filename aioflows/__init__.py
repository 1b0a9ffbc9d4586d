"""Every EnOS flow instance, exactly once, in order."""

__version__ = "0.1.0"
