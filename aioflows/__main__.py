"""The console script ``aioflows``, which is ``python -m aioflows`` as well.

Another project's distribution is called ``aioflows`` too, and has an empty ``aioflows/__init__.py``. Installed after this
one, it overwrites ours; uninstalled after this one, it deletes ours. `aioflows/__init__.py` cannot report this, since it is
the file that is lost, so the check is here, where a name of ours is missing. An import that works pays nothing for it:
``importlib.metadata`` costs 50 ms.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = ("typer", "rich", "click")
_AGAIN = "pip uninstall aioflows enos-aioflows, then install enos-aioflows again"


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        from aioflows.cli.app import run  # noqa: PLC0415  (its dependencies are an extra)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in _EXTRA:
            print("the command line needs typer and rich: install enos-aioflows[cli]", file=sys.stderr)  # noqa: T201
            return 2
        problem = _broken_installation() if package == "aioflows" else None
        if problem is None:
            raise
        print(problem, file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:  # Ctrl-C during the imports, which take a second
        print("interrupted", file=sys.stderr)  # noqa: T201
        return 130
    return run()


def _broken_installation() -> str | None:
    """Return what another distribution has done to our files and what to do about it, or None if nothing shows that."""
    from importlib.metadata import distributions  # noqa: PLC0415  (slow, and needed only here)

    for other in distributions(name="aioflows"):
        if any(str(file) == "aioflows/__init__.py" for file in other.files or ()):
            return (
                f"aioflows {other.version}, another project, has overwritten files of enos-aioflows: both install "
                f"the folder aioflows; {_AGAIN}"
            )
    if getattr(sys.modules.get("aioflows"), "__file__", None) is None:
        return (
            "aioflows/__init__.py is missing: uninstalling aioflows, another project, deletes it, since both install "
            f"the folder aioflows; {_AGAIN}"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
