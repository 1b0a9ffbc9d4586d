"""The version of the package, in one place for the package, its distribution and its requests."""

__version__ = "0.1.0"
