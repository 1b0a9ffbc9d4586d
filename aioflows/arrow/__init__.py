"""Flow instances as Arrow record batches, for whatever reads these: Polars, pandas, DuckDB, Parquet.

The types follow from the kind of a column, so that a batch without rows has them too:

- texts are ``string``; names, which many rows share, are ``dictionary<int32, string>``, ``status_name`` among them;
- times are ``timestamp[us, UTC]``; the service's zone is gone, the instant is the same;
- integers are ``int64``, numbers ``double``, truth values ``bool``;
- JSON (``graph``, ``parameters``, ``extra``) is ``string``, the text that the service sent.

A batch is made from instances (`rows`), or, at less cost, from the bytes of an answer that nobody has decoded (`answers`).
Either way names come as texts first; that each of them gets a number can be done for many batches at once (`schema`).
"""

from aioflows.arrow.from_bytes import AnswerColumns
from aioflows.arrow.from_instances import record_batch, text_batch
from aioflows.arrow.schema import arrow_schema, joined, with_names

__all__ = ["AnswerColumns", "arrow_schema", "joined", "record_batch", "text_batch", "with_names"]
