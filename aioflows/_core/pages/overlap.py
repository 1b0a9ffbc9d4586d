"""Overlapping pages: a row that two neighbours share proves that no row lies between them."""

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
        # Among the pages that start at least `least` rows before the end, take the one that reaches farthest.
        number, size = max(
            ((max(end - least, 0) // size, size) for size in range(max(1, most // 2), most + 1)),
            key=lambda page: (page[0] + 1) * page[1],
        )
        if (number + 1) * size <= end:  # happens only for pages of one row, which cannot overlap
            number = end // size
        yield number, size
        end = (number + 1) * size
