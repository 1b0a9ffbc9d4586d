"""Object stores that exports are tested with, and what lies in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.export_readers import content

__all__ = ["below", "copied", "stored"]


def below(files: Any, folder: str) -> list[str]:
    """Give the paths of all objects below a folder."""
    files.invalidate_cache()
    return sorted(path.partition(f"{folder.strip('/')}/")[2] for path in files.find(folder))


def stored(files: Any, target: str, scratch: Path) -> list[dict[str, Any]]:
    """Give the rows of a target, read from a copy on the disk.

    Args:
        files: the fsspec file system.
        target: the path of the target, with a slash at its end if it is a folder.
        scratch: a folder that holds nothing of that name.
    """
    return content(copied(files, target, scratch))


def copied(files: Any, target: str, scratch: Path) -> Path:
    """Copy a target to the disk, and give the path of the copy. The arguments are those of `stored`."""
    files.invalidate_cache()
    copy = scratch / target.rstrip("/").rpartition("/")[2]
    if target.endswith("/"):
        for path in files.find(target):
            part = copy / path.partition(target.strip("/") + "/")[2]
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(files.cat_file(path))
    else:
        copy.write_bytes(files.cat_file(target))
    return copy
