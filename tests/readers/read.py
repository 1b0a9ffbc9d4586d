"""Reads exports with the libraries of one environment, where aioflows is not installed: ``python read.py FOLDER``.

The folder has ``columns.json``: the kinds of the columns of each case. Each file is read as the guide says, and the
columns, their types and all values are written to ``found.json``, with times as microseconds since 1970.
"""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  (also for older Pythons)
Found = tuple[list[str], list[str], list[list[Any]]]
Columns = dict[str, str]


def of_kind(columns: Columns, kind: str) -> list[str]:
    return [name for name, one in columns.items() if one == kind]


def micros(value: Any) -> Any:
    """Return a time as microseconds since 1970, and any other value as it is."""
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    return value


def rows_of(table: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return [[micros(value) for value in row] for row in table]


# The standard library, where a text is converted as its column says


def converted(columns: Columns, row: dict[str, Any]) -> list[Any]:
    """Return the values of a row of texts. An empty text is a missing value, unless the column holds texts."""
    convert: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "number": float,
        "boolean": lambda text: text == "true",
        "time": datetime.fromisoformat,
    }
    return [
        None if row[name] == "" else convert[kind](row[name]) if kind in convert else row[name]
        for name, kind in columns.items()
    ]


def stdlib_csv(path: Path, columns: Columns) -> Found:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = rows_of(converted(columns, row) for row in reader)
        return list(reader.fieldnames or ()), list(columns.values()), rows


def stdlib_jsonl(path: Path, columns: Columns) -> Found:
    opened = gzip.open if path.suffix == ".gz" else open
    times = of_kind(columns, "time")
    with opened(path, "rt", newline="\n", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    rows = [
        [
            datetime.fromisoformat(value) if name in times and value is not None else value
            for name, value in line.items()
        ]
        for line in lines
    ]
    return list(lines[0]) if lines else list(columns), list(columns.values()), rows_of(rows)


def stdlib_sqlite(path: Path, columns: Columns) -> Found:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT * FROM instances ORDER BY rowid")
        names = [one[0] for one in found.description]
        return names, list(columns.values()), typed(names, found.fetchall(), columns)


def typed(names: list[str], rows: Iterable[Iterable[Any]], columns: Columns) -> list[list[Any]]:
    """Return rows of SQLite, which has no type for times and booleans."""
    kinds = [columns.get(name) for name in names]
    return rows_of(
        [
            datetime.fromisoformat(value)
            if kind == "time" and value is not None
            else bool(value)
            if kind == "boolean" and value is not None
            else value
            for kind, value in zip(kinds, row, strict=True)
        ]
        for row in rows
    )


# pandas


def of_frame(frame: Any, columns: Columns) -> Found:
    import pandas as pd

    for name in of_kind(columns, "time"):
        if name in frame and not isinstance(frame[name].dtype, pd.DatetimeTZDtype):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    values = [
        [
            None
            if pd.isna(value)
            else micros(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)
            for value in frame[name]
        ]
        for name in frame
    ]
    types = [str(one) for one in frame.dtypes]
    rows = [list(map(simple, row)) for row in zip(*values, strict=True)]
    return list(frame.columns), types, rows


def simple(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


_PANDAS = {"integer": "Int64", "number": "Float64", "boolean": "boolean", "text": "string", "time": "string"}


def pandas_csv(path: Path, columns: Columns) -> Found:
    import pandas as pd

    types = {name: _PANDAS[kind] for name, kind in columns.items()}
    return of_frame(pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""]), columns)


def pandas_jsonl(path: Path, columns: Columns) -> Found:
    import pandas as pd

    types = {name: _PANDAS[kind] for name, kind in columns.items()}
    frame = pd.read_json(path, lines=True, dtype=types, convert_dates=False)
    return of_frame(frame, columns)


def pandas_parquet(path: Path, columns: Columns) -> Found:
    import pandas as pd

    return of_frame(pd.read_parquet(path, dtype_backend="numpy_nullable"), columns)


def pandas_sqlite(path: Path, columns: Columns) -> Found:
    import pandas as pd

    types = {name: _PANDAS[kind] for name, kind in columns.items()}
    with closing(sqlite3.connect(path)) as connection:
        frame = pd.read_sql("SELECT * FROM instances ORDER BY rowid", connection, dtype=types)
    return of_frame(frame, columns)


# pyarrow


def of_table(table: Any, columns: Columns) -> Found:
    import pyarrow as pa
    import pyarrow.compute as pc

    names, arrays = table.column_names, []
    for name in names:
        array = table.column(name)
        if columns.get(name) == "time":
            # Values are read as integers, since Python's datetime may round them.
            array = pc.cast(array, pa.timestamp("us", "UTC")).cast(pa.int64())
        arrays.append(array.to_pylist())
    return names, [str(one) for one in table.schema.types], [list(row) for row in zip(*arrays, strict=True)]


def arrow_schema(columns: Columns) -> Any:
    import pyarrow as pa

    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "text": pa.string(),
        "time": pa.timestamp("us", "UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


def pyarrow_csv(path: Path, columns: Columns) -> Found:
    import pyarrow.csv as pc

    table = pc.read_csv(
        path,
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types=arrow_schema(columns),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return of_table(table, columns)


def pyarrow_jsonl(path: Path, columns: Columns) -> Found:
    import pyarrow as pa
    import pyarrow.json as pj

    # Arrow reads no offset in JSON, so times are read as texts first.
    texts = pa.schema(
        [
            (one.name, pa.string() if pa.types.is_timestamp(one.type) else one.type)
            for one in arrow_schema(columns)
        ]
    )
    opened = pa.input_stream(str(path), compression="detect")
    options = pj.ParseOptions(explicit_schema=texts, unexpected_field_behavior="error")
    table = pj.read_json(opened, parse_options=options, read_options=pj.ReadOptions(block_size=2**24))
    return of_table(table.cast(arrow_schema(columns)), columns)


def pyarrow_jsonl_untold(path: Path, columns: Columns) -> Found:
    import pyarrow as pa
    import pyarrow.json as pj

    return of_table(pj.read_json(pa.input_stream(str(path), compression="detect")), columns)


def pyarrow_parquet(path: Path, columns: Columns) -> Found:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = ds.dataset(path, partitioning="hive").to_table() if path.is_dir() else pq.read_table(path)
    return of_table(table, columns)


# Polars


def of_polars(frame: Any, columns: Columns) -> Found:
    import polars as pl

    types = [str(one) for one in frame.dtypes]
    for name in of_kind(columns, "time"):
        if name in frame.columns and frame[name].dtype == pl.Null:
            continue
        if frame[name].dtype == pl.String:
            frame = frame.with_columns(pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC"))
        frame = frame.with_columns(pl.col(name).dt.epoch("us"))
    return frame.columns, types, [list(row) for row in frame.rows()]


def polars_schema(columns: Columns) -> dict[str, Any]:
    import polars as pl

    types = {
        "integer": pl.Int64,
        "number": pl.Float64,
        "boolean": pl.Boolean,
        "text": pl.String,
        "time": pl.String,
    }
    return {name: types[kind] for name, kind in columns.items()}


def polars_csv(path: Path, columns: Columns) -> Found:
    import polars as pl

    return of_polars(pl.read_csv(path, schema_overrides=polars_schema(columns)), columns)


def polars_jsonl(path: Path, columns: Columns) -> Found:
    import polars as pl

    return of_polars(pl.read_ndjson(path, schema=polars_schema(columns)), columns)


def polars_jsonl_untold(path: Path, columns: Columns) -> Found:
    import polars as pl

    return of_polars(pl.read_ndjson(path), columns)


def polars_parquet(path: Path, columns: Columns) -> Found:
    import polars as pl

    return of_polars(pl.read_parquet(path), columns)


def polars_sqlite(path: Path, columns: Columns) -> Found:
    import polars as pl

    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT * FROM instances ORDER BY rowid"
        frame = pl.read_database(query, connection, schema_overrides=polars_schema(columns))
    return of_polars(frame, columns)


# DuckDB


def of_query(connection: Any, relation: str, columns: Columns) -> Found:
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    names, types = [one[0] for one in described], [one[1] for one in described]
    picked = ", ".join(
        f'epoch_us(CAST("{name}" AS TIMESTAMPTZ))' if columns.get(name) == "time" else f'"{name}"'
        for name in names
    )
    rows = connection.execute(f"SELECT {picked} FROM {relation}").fetchall()
    return names, types, [list(row) for row in rows]


def duckdb_columns(columns: Columns) -> str:
    types = {
        "integer": "BIGINT",
        "number": "DOUBLE",
        "boolean": "BOOLEAN",
        "text": "VARCHAR",
        "time": "TIMESTAMPTZ",
    }
    return "{" + ", ".join(f"'{name}': '{types[kind]}'" for name, kind in columns.items()) + "}"


def duckdb_csv(path: Path, columns: Columns) -> Found:
    import duckdb

    options = f"columns={duckdb_columns(columns)}, header=true, nullstr='', allow_quoted_nulls=false, auto_detect=false"
    options += ", quote='\"', escape='\"', delim=','"
    with closing(duckdb.connect()) as connection:
        return of_query(connection, f"read_csv('{path}', {options})", columns)


def duckdb_jsonl(path: Path, columns: Columns) -> Found:
    import duckdb

    options = f"columns={duckdb_columns(columns)}, format='newline_delimited'"
    with closing(duckdb.connect()) as connection:
        return of_query(connection, f"read_json('{path}', {options})", columns)


def duckdb_jsonl_untold(path: Path, columns: Columns) -> Found:
    import duckdb

    with closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return of_query(connection, f"read_json('{path}')", columns)


def duckdb_parquet(path: Path, columns: Columns) -> Found:
    import duckdb

    files = f"{path}/**/*.parquet" if path.is_dir() else str(path)
    with closing(duckdb.connect()) as connection:
        return of_query(connection, f"read_parquet('{files}', hive_partitioning={path.is_dir()})", columns)


def duckdb_duckdb(path: Path, columns: Columns) -> Found:
    import duckdb

    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return of_query(connection, "instances", columns)


READERS: dict[str, dict[str, Callable[[Path, Columns], Found]]] = {
    "standard library": {"csv": stdlib_csv, "jsonl": stdlib_jsonl, "sqlite": stdlib_sqlite},
    "pandas": {"csv": pandas_csv, "jsonl": pandas_jsonl, "parquet": pandas_parquet, "sqlite": pandas_sqlite},
    "pyarrow": {"csv": pyarrow_csv, "jsonl": pyarrow_jsonl, "parquet": pyarrow_parquet},
    "polars": {"csv": polars_csv, "jsonl": polars_jsonl, "parquet": polars_parquet, "sqlite": polars_sqlite},
    "duckdb": {
        "csv": duckdb_csv,
        "jsonl": duckdb_jsonl,
        "parquet": duckdb_parquet,
        "duckdb": duckdb_duckdb,
    },
    # As one types it, without telling the types
    "pyarrow, untold": {"jsonl": pyarrow_jsonl_untold},
    "polars, untold": {"jsonl": polars_jsonl_untold},
    "duckdb, untold": {"jsonl": duckdb_jsonl_untold},
}


def main(folder: Path) -> None:
    cases: dict[str, Columns] = json.loads((folder / "columns.json").read_text())
    found = []
    for path in sorted(folder.iterdir()):
        case, _, form = path.name.partition(".")
        if case not in cases:
            continue
        for reader, forms in READERS.items():
            read = forms.get("parquet" if form == "folder" else form.partition(".")[0])
            if read is None:
                continue
            result: dict[str, Any] = {"reader": reader, "case": case, "form": form}
            try:
                result["columns"], result["types"], result["rows"] = read(path, dict(cases[case]))
            except BaseException as error:  # noqa: BLE001  (some libraries raise errors that are no Exception)
                result["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            found.append(result)
    (folder / "found.json").write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
