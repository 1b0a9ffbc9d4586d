"""Flow instances in files: each instance exactly once, even if an export dies and is resumed."""

from typing import TYPE_CHECKING

from aioflows._lazy import lazy_names

if TYPE_CHECKING:
    from aioflows.export.api import export
    from aioflows.export.errors import ReaderGone, SinkError
    from aioflows.export.formats.json_lines import json_line, json_lines
    from aioflows.export.job import Exported
    from aioflows.export.target import Format, Target
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "api": "export",
            "errors": "ReaderGone SinkError",
            "formats.json_lines": "json_line json_lines",
            "job": "Exported",
            "target": "Format Target",
        },
    )

__all__ = ["Exported", "Format", "ReaderGone", "SinkError", "Target", "export", "json_line", "json_lines"]


def __dir__() -> list[str]:
    return list(__all__)
