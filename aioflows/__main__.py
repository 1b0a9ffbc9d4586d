"""The console script ``aioflows``, also run by ``python -m aioflows``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = ("typer", "rich", "click")


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from aioflows.cli.app import run  # noqa: PLC0415  (typer and rich are an extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print("the command line needs typer and rich: pip install 'aioflows[cli]'", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:  # Ctrl-C during the imports, which take a second
        print("interrupted", file=sys.stderr)  # noqa: T201
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
