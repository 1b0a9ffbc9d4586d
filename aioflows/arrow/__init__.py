"""Flow instances as Arrow record batches, for Polars, pandas, DuckDB and Parquet.

The kind of a column decides its type, so a batch without rows has the same types:

- texts are ``string``, and so are names, which many rows share, unless ``dictionary<int32, string>`` is asked for;
- times are ``timestamp[us, UTC]``: the instant is kept, the service's zone is not;
- integers are ``int64``, numbers ``double``, truth values ``bool``;
- JSON (``graph``, ``parameters``, ``extra``) is ``string``, the text that the service sent.

A batch is made from instances (`from_instances`) or, at less cost, from the undecoded bytes of an answer
(`from_bytes`). Both give names as strings. What users get is made of these batches (`tables`).
"""

from aioflows.arrow.from_bytes import AnswerColumns
from aioflows.arrow.from_instances import text_batch
from aioflows.arrow.schema import Names, arrow_schema, is_imported, joined, pyarrow
from aioflows.arrow.tables import BatchForm, frame_maker

__all__ = [
    "AnswerColumns",
    "BatchForm",
    "Names",
    "arrow_schema",
    "frame_maker",
    "is_imported",
    "joined",
    "pyarrow",
    "text_batch",
]
