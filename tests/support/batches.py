"""Flow instances as record batches."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from aioflows._tables.columns import Layout
from aioflows.arrow import BatchForm, text_batch
from aioflows.models import FlowInstance


def record_batch(layout: Layout, rows: Sequence[FlowInstance]) -> pa.RecordBatch:
    """Give instances as a batch of the usual form."""
    return BatchForm(layout).batch(text_batch(layout, rows))
