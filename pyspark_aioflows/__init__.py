"""Lets Spark find the data source "aioflows" by itself: it looks for modules whose names begin with ``pyspark_``.

`aioflows.spark.register` is the sure way. Any such module that cannot be imported hides all of them.
"""

from aioflows.spark.source import FlowDataSource as DefaultSource

__all__ = ["DefaultSource"]
