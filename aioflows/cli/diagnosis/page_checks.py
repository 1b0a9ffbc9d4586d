"""Judges pages 0 and 1 of one query: where pages begin, and how many rows a page holds at most."""

from __future__ import annotations

from collections.abc import Sequence

from aioflows.cli.diagnosis.examination import SentPage

__all__ = ["first_page", "pages_text"]


def first_page(pages: Sequence[SentPage]) -> int | None:
    """Return the number of the first page. None means that the pages do not show it.

    A service that counts from 1 answers page 0 with the rows of page 1, without rows, or with an error.

    Args:
        pages: pages of one query.
    """
    by_number = {number: [one for one in pages if one.number == number] for number in (0, 1)}
    for zero, one in zip(by_number[0], by_number[1], strict=False):
        if zero.ids and zero.ids != one.ids:
            return 0
        if one.ids:
            return 1
    return None


def pages_text(pages: Sequence[SentPage]) -> tuple[str, str]:
    """Return what pages show, and what to do. An empty advice means that nothing needs to be done.

    Args:
        pages: pages 0 and 1 of one query, and those of a smaller size if these are refused. At least one of them
            was read.
    """
    base, asked = first_page(pages), pages[0].size
    if base is None:
        return "no instance was found, so page numbers and page sizes were not checked", ""
    text = f"pages count from {base}"
    read = [one for one in pages if one.ids]
    if read[0].size < asked:
        refused = next(one.error for one in pages if one.error is not None)
        return (
            f"{text}; a page of {asked:,} rows is refused: {refused}",
            f"give --page-size {read[0].size} or a size in between",
        )
    most, more = max(len(one.ids) for one in read), len(read) > 1 and read[0].ids != read[1].ids
    if more and most < asked:
        return f"{text}; {asked:,} rows were asked for, a page holds {most:,}", ""
    return f"{text}; a page of {asked:,} rows is {'given' if most >= asked else 'accepted'}", ""
