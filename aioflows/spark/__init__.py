"""A data source for Apache Spark, for batches and streams: ``spark.read.format("aioflows")``.

    aioflows.spark.register(spark)
    frame = spark.read.format("aioflows").option("url", "https://apigw.example.com")...load()

needs ``pip install 'enos-aioflows[spark]'`` and Java 17.
"""

from aioflows.spark.registration import now, register

__all__ = ["now", "register"]
