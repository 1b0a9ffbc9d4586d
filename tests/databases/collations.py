"""What `owner = ?` and `LIKE` really match in PostgreSQL and MariaDB: ``python -m tests.databases.collations``.

A filter of the client's may only call a row wrong if no collation explains it, so the measure is what databases answer.
The command asks both of them, for each pair of texts below and each collation that a table of instances is likely to
have, and writes ``collations.json``. Nothing in that file is written by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncmy
import asyncpg
from asyncmy.cursors import Cursor
from asyncmy.errors import DataError, OperationalError

from tests.databases.servers import NotInstalled, Server, serve

__all__ = ["FILE", "main"]

FILE = Path(__file__).parent / "collations.json"

_GROUPS: dict[str, tuple[str, ...]] = {
    "case": ("alice", "Alice", "ALICE", "bob"),
    "case beyond ASCII": ("müller", "MÜLLER", "яна", "ЯНА", "ά", "Ά", "σ", "ς", "Σ"),
    "Turkish i": ("i", "I", "ı", "İ"),
    "accents": ("alice", "álice", "alicé", "älice", "alicë"),
    "composed and decomposed": ("alic\u00e9", "alice\u0301", "alice"),
    "letters with a stroke or a tail": ("o", "ø", "l", "ł", "d", "đ", "c", "ç", "n", "ñ", "h", "ħ"),
    "accents beyond Latin": ("е", "ё", "и", "й", "α", "ά"),
    "ligatures and doubled letters": (
        "ß",
        "ss",
        "s",
        "SS",
        "ẞ",
        "æ",
        "ae",
        "Æ",
        "œ",
        "oe",
        "ﬁ",
        "fi",
        "þ",
        "th",
    ),
    "full width": ("alice", "ａｌｉｃｅ", "ＡＬＩＣＥ", "1", "１", "%", "％", "_", "＿"),
    "half width and kana": ("ア", "ｱ", "あ", "ァ", "か", "が"),
    "Chinese": ("张", "張", "章"),
    "numbers": ("1", "①", "¹", "Ⅰ", "I", "٣", "3"),
    "compatibility": ("k", "K", "\u212a", "Å", "\u212b", "A", "µ", "μ", "…", "..."),
    "symbols beyond the first plane": ("😀", "😁", "𝔞", "a", "\ufffd", "?"),
    "trailing blanks": (
        "alice",
        "alice ",
        "alice  ",
        "alice\t",
        "alice\n",
        "alice\u00a0",
        "alice\u3000",
        " alice",
    ),
    "nothing and blanks": ("", " ", "  ", "\t"),
    "invisible": (
        "alice",
        "al\u200bice",
        "al\u00adice",
        "\ufeffalice",
        "alice\u200d",
        "al\u0301ice",
        "alice\u0000",
    ),
    "punctuation": ("a-b", "ab", "a b", "a_b", "a.b", "a'b", "a\u2019b", 'a"b', "a\u2010b", "a\u2013b"),
    "percent": ("100%", "100", "1005", "100% ", "1%0", "%", "1000"),
    "underscore": ("a_b", "axb", "ab", "a__b", "aäb", "a😀b", "_"),
    "backslash": ("a\\b", "ab", "a\\\\b", "\\", "a\\%b", "a%b", "a\\xb", "axxb", "a\\_b", "a_b", "a\\"),
    "quote": ("o'neil", "oneil", "o''neil", "o\u2019neil", "O'Neil"),
    "part of": ("alice", "ali", "lic", "xalicex", "ALICE2", "malice"),
    "part of, with accents": ("é", "caf\u00e9s", "cafes", "e", "CAFÉ", "cafe\u0301s", "\u0301"),
    "part of, with doubled letters": ("ss", "straße", "STRASSE", "s", "ß", "strase", "e"),
}

_COMPARISONS = ("equal", "like", "like, escaped")
"""`column = text`; `column LIKE '%text%'` with the text as it is; the same with `%`, `_` and `\\` escaped in the text."""

_PLAIN = ("{} = $1", "{} LIKE '%' || $1 || '%'", "{} LIKE '%' || $1 || '%'")
_POSTGRESQL: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (the column's type, the comparisons, in which {} is the column and $1 the text)
    "postgresql text": ('text COLLATE "C.utf8"', _PLAIN),
    "postgresql char(12)": ("char(12)", ("{} = $1::char(12)", *_PLAIN[1:])),
    "postgresql lower and ILIKE": (
        "text",
        ("lower({}) = lower($1)", "{} ILIKE '%' || $1 || '%'", "{} ILIKE '%' || $1 || '%'"),
    ),
    "postgresql citext": (
        "citext",
        ("{} = $1::citext", "{} LIKE ('%' || $1 || '%')::citext", "{} LIKE ('%' || $1 || '%')::citext"),
    ),
    "postgresql ICU, ignoring case": ("text COLLATE ignoring_case", _PLAIN[:1]),  # these know no LIKE
    "postgresql ICU, ignoring case and accents": ("text COLLATE ignoring_accents", _PLAIN[:1]),
    "postgresql unaccent, lower and ILIKE": (
        "text",
        (
            "lower(unaccent({})) = lower(unaccent($1))",
            "unaccent({}) ILIKE '%' || unaccent($1) || '%'",
            "unaccent({}) ILIKE '%' || unaccent($1) || '%'",
        ),
    ),
}

_MARIADB = (
    "utf8mb4_general_ci",  # the default of 10.11
    "utf8mb4_general_nopad_ci",
    "utf8mb4_unicode_ci",
    "utf8mb4_unicode_520_ci",
    "utf8mb4_uca1400_ai_ci",  # the default of 11.6 and later
    "utf8mb4_uca1400_nopad_ai_ci",  # the nearest to the default of MySQL 8, utf8mb4_0900_ai_ci
    "utf8mb4_uca1400_as_ci",
    "utf8mb4_uca1400_nopad_as_cs",
    "utf8mb4_bin",
    "utf8mb4_nopad_bin",
    "utf8mb3_general_ci",
    "latin1_swedish_ci",  # the default until 11.6 where a server was installed without Debian's settings
)
_MARIADB_COMPARISONS = (
    "stored = %s",
    "stored LIKE CONCAT('%%', %s, '%%')",
    "stored LIKE CONCAT('%%', %s, '%%')",
)

Found = dict[tuple[str, str], set[str] | None]
"""By comparison and text asked for: the texts that match; None: the database answered with an error."""


async def _ask_postgresql(server: Server) -> dict[str, tuple[set[str], Found]]:
    """Return, by the name of a collation, the texts that could be stored and what was found of them."""
    texts = [
        text for text in _texts() if "\0" not in text
    ]  # no column of PostgreSQL's can hold that character
    answers: dict[str, tuple[set[str], Found]] = {}
    connection = await asyncpg.connect(host=server.socket, user=server.user, database="postgres")
    try:
        await connection.execute(
            """
            CREATE EXTENSION citext; CREATE EXTENSION unaccent;
            CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
            CREATE COLLATION ignoring_accents (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
            """
        )
        for name, (column, comparisons) in _POSTGRESQL.items():
            await connection.execute(f"CREATE TABLE texts (id int, stored {column})")
            await connection.executemany("INSERT INTO texts VALUES ($1, $2)", list(enumerate(texts)))
            found: Found = {}
            for kind, comparison in zip(_COMPARISONS, comparisons, strict=False):
                for asked in texts:
                    statement = f"SELECT id FROM texts WHERE {comparison.format('stored')}"
                    try:
                        rows = await connection.fetch(statement, _pattern(kind, asked))
                    except asyncpg.PostgresError:  # a pattern that ends in a backslash
                        found[kind, asked] = None
                    else:
                        found[kind, asked] = {texts[row["id"]] for row in rows}
            answers[name] = set(texts), found
            await connection.execute("DROP TABLE texts")
    finally:
        await connection.close()
    return answers


async def _ask_mariadb(server: Server) -> dict[str, tuple[set[str], Found]]:
    """Do the same for MariaDB."""
    answers = {}
    connection = await asyncmy.connect(
        unix_socket=server.socket, user="root", charset="utf8mb4", autocommit=True
    )
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("CREATE DATABASE texts CHARACTER SET utf8mb4")
            await cursor.execute("USE texts")
            for collation in _MARIADB:
                answers[f"mariadb {collation}"] = await _ask_collation(cursor, collation)
    finally:
        await connection.ensure_closed()
    return answers


async def _ask_collation(cursor: Cursor, collation: str) -> tuple[set[str], Found]:
    texts = _texts()
    await cursor.execute(
        f"CREATE TABLE texts (id INT, stored VARCHAR(12) CHARACTER SET {collation.split('_', maxsplit=1)[0]} COLLATE {collation})"
    )
    stored = set()
    for number, text in enumerate(texts):
        try:
            await cursor.execute("INSERT INTO texts VALUES (%s, %s)", (number, text))
        except (DataError, OperationalError):  # the character set lacks a character
            continue
        stored.add(text)
    found: Found = {}
    for kind, comparison in zip(_COMPARISONS, _MARIADB_COMPARISONS, strict=True):
        for asked in texts:
            try:
                await cursor.execute(f"SELECT id FROM texts WHERE {comparison}", (_pattern(kind, asked),))
            except (DataError, OperationalError):
                found[kind, asked] = None
            else:
                found[kind, asked] = {texts[row[0]] for row in await cursor.fetchall()}
    await cursor.execute("DROP TABLE texts")
    return stored, found


def _texts() -> list[str]:
    return sorted({text for texts in _GROUPS.values() for text in texts})


def _pattern(kind: str, text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text) if kind == "like, escaped" else text


async def measure() -> dict[str, Any]:
    """Return the table. Raise NotInstalled if one of the databases is missing."""
    answers: dict[str, tuple[set[str], Found]] = {}
    versions = []
    for database, ask in (("postgresql", _ask_postgresql), ("mariadb", _ask_mariadb)):
        with serve(database) as server:
            versions.append(server.version)
            answers |= await ask(server)
    return {
        "about": __doc__,
        "versions": versions,
        "collations": list(answers),
        "columns": [
            "group",
            "comparison",
            "asked",
            "stored",
            "for each collation: 1 yes, 0 no, - cannot be asked",
        ],
        "pairs": [
            [
                group,
                kind,
                asked,
                stored,
                "".join(_said(answer, kind, asked, stored) for answer in answers.values()),
            ]
            for group, texts in _GROUPS.items()
            for kind in _COMPARISONS
            for asked in texts
            for stored in texts
        ],
    }


def _said(answer: tuple[set[str], Found], kind: str, asked: str, stored: str) -> str:
    storable, found = answer
    texts = found.get((kind, asked))
    return "-" if texts is None or stored not in storable else str(int(stored in texts))


def _written(table: dict[str, Any]) -> str:
    """Return the table as JSON with a pair on each line, so that a difference is a line."""
    pairs = ",\n  ".join(json.dumps(pair) for pair in table["pairs"])
    head = json.dumps({name: value for name, value in table.items() if name != "pairs"}, indent=1)
    return f'{head[:-2]},\n "pairs": [\n  {pairs}\n ]\n}}\n'


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.databases.collations", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    options = parser.parse_args(arguments)
    try:
        text = _written(asyncio.run(measure()))
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.check:
        before, now = json.loads(FILE.read_text()), json.loads(text)
        different = [pair for pair in now["pairs"] if pair not in before["pairs"]]
        sys.stdout.writelines(f"{pair}\n" for pair in different)
        return int(bool(different))
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
