"""Warnings of the library on the command line, as one line each on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aioflows._display.text import printable
from aioflows.cli.exit_codes import json_record, print_message, print_to_stderr, with_options

__all__ = ["shown_warnings"]

_LONGEST = 2_000  # characters of a warning


class _LineHandler(logging.Handler):
    """A handler that prints each warning once, and no event, since meters show events.

    Args:
        as_json: True to print JSON objects.
    """

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(logging.WARNING)
        self._as_json = as_json
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = printable(with_options(record.getMessage()), _LONGEST)
        if hasattr(record, "event") or text in self._printed:
            return
        self._printed.add(text)
        if self._as_json:
            print_to_stderr(json_record("warning", message=text))
        else:
            print_message(f"warning: {text}")


@contextmanager
def shown_warnings(*, quiet: bool = False, as_json: bool = False) -> Iterator[None]:
    """Print the warnings that the library logs within the block.

    Args:
        quiet: True to print none. Default: False.
        as_json: True to print JSON objects. Default: False.
    """
    if quiet:
        yield
        return
    log, handler = logging.getLogger("aioflows"), _LineHandler(as_json=as_json)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
