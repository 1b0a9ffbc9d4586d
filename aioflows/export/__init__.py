"""Flow instances in files: each instance exactly once, even if an export dies and is resumed."""

from aioflows.export.api import export
from aioflows.export.errors import ReaderGone, SinkError
from aioflows.export.formats.json_lines import json_line, json_lines
from aioflows.export.job import Exported
from aioflows.export.target import Format, Target

__all__ = ["Exported", "Format", "ReaderGone", "SinkError", "Target", "export", "json_line", "json_lines"]
