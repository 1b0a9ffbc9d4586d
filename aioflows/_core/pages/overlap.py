"""Overlapping pages: a row on two neighbouring pages proves that no row lies between the two pages."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["overlapping"]


def overlapping(most: int, least: int = 1) -> Iterator[tuple[int, int]]:
    """Yield page numbers (counted from 0) and sizes, so that each page starts inside the one before it.

    Page ``p`` of size ``s`` starts at row ``p * s``. So pages overlap only because their sizes differ.

    Args:
        most: size of the largest page (rows).
        least: rows that neighbours share at least, if pages are large enough. Default: 1.
    """
    yield 0, most
    end = most
    while True:
        # Of the pages that start at least `least` rows before the end, the page that reaches farthest is next.
        number, size = max(
            ((max(end - least, 0) // size, size) for size in range(max(1, most // 2), most + 1)),
            key=lambda page: (page[0] + 1) * page[1],
        )
        if (number + 1) * size <= end:  # pages of one row cannot overlap
            number = end // size
        yield number, size
        end = (number + 1) * size
