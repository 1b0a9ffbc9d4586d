"""A live board: what runs now, what fails, and what should have come, as one page for every browser."""

from aioflows.board.application import BoardApplication, application

__all__ = ["BoardApplication", "application"]
