#!/usr/bin/env bash
# PySpark: a filter that a Python data source takes (pushFilters) sticks to the data frame, and later queries lose rows.
#
# Seen with Python 3.11, Java 17 and pyspark 4.3.0, with spark.sql.python.filterPushdown.enabled. A source of the numbers from 0 to
# 99 takes "id >= ..." as the documentation shows. In brackets what is right:
# - After frame.where("id >= 90").count(), which is 10, frame.count() is 10 as well (100), in silence.
# - After explain() of a filtered query alone, frame.count() is 10 (100).
# - The union of where("id >= 90") and where("id >= 50") has 100 rows (60).
# A data frame of another load() is right. So a source of a service that filters is safer with options than with filters.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v java > /dev/null || { echo "this needs Java 17"; exit 1; }
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check pyspark==4.3.0 pyarrow==26.0.1 pandas==2.3.3 2> /dev/null
cat > "$work/look.py" << 'EOF'
import contextlib
import io

from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, GreaterThanOrEqual


class Numbers(DataSource):
    @classmethod
    def name(cls):
        return "numbers"

    def schema(self):
        return "id bigint"

    def reader(self, schema):
        return NumbersReader()


class NumbersReader(DataSourceReader):
    least = 0

    def pushFilters(self, filters):
        for one in filters:
            if isinstance(one, GreaterThanOrEqual) and one.attribute == ("id",):
                self.least = max(self.least, one.value)
            else:
                yield one

    def read(self, partition):
        return ((number,) for number in range(self.least, 100))


spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.python.filterPushdown.enabled", "true")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")
spark.dataSource.register(Numbers)


def load():
    return spark.read.format("numbers").load()


frame = load()
print("all", load().count())
print("filtered, then all", frame.where("id >= 90").count(), frame.count())
frame = load()
with contextlib.redirect_stdout(io.StringIO()):
    frame.where("id >= 90").explain()
print("filtered explained, then all", frame.count())
frame = load()
print("union of two filters", frame.where("id >= 90").union(frame.where("id >= 50")).count())
EOF

PYSPARK_PYTHON="$work/env/bin/python" "$work/env/bin/python" -W ignore "$work/look.py" 2> /dev/null | tee "$work/seen.txt"
diff - "$work/seen.txt" << 'EOF' || { echo "PySpark behaves in another way now"; exit 1; }
all 100
filtered, then all 10 10
filtered explained, then all 10
union of two filters 100
EOF
