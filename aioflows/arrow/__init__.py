"""Flow instances as Arrow record batches, for Polars, pandas, DuckDB and Parquet.

The kind of a column decides its type, so a batch without rows has the same types:

- texts are ``string``; names, which many rows share, are ``dictionary<int32, string>``, and so is
  ``status_name``;
- times are ``timestamp[us, UTC]``: the instant is kept, the service's zone is not;
- integers are ``int64``, numbers ``double``, truth values ``bool``;
- JSON (``graph``, ``parameters``, ``extra``) is ``string``, the text that the service sent.

A batch is made from instances (`from_instances`) or, at less cost, from the undecoded bytes of an answer
(`from_bytes`). Both give names as strings first. They are dictionary-encoded afterwards, for many batches at
once (`schema`).
"""

from aioflows.arrow.from_bytes import AnswerColumns
from aioflows.arrow.from_instances import record_batch, text_batch
from aioflows.arrow.schema import arrow_schema, joined, with_names

__all__ = ["AnswerColumns", "arrow_schema", "joined", "record_batch", "text_batch", "with_names"]
