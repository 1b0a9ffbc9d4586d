"""Pages by number that overlap, so that what two of them share proves that nothing lies between them."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["overlapping"]


def overlapping(most: int, least: int = 1) -> Iterator[tuple[int, int]]:
    """Return page numbers, counted from 0, and sizes, so that each page starts inside the one before it.

    Page ``p`` of size ``s`` starts at row ``p * s``, so it is by their sizes that pages overlap.

    Args:
        most: *rows* of the largest page.
        least: *rows* that neighbours share at least, where pages are large enough.
    """
    yield 0, most
    end = most
    while True:
        # The page that reaches farthest among those that start before the last rows seen.
        number, size = max(
            ((max(end - least, 0) // size, size) for size in range(max(1, most // 2), most + 1)),
            key=lambda page: (page[0] + 1) * page[1],
        )
        if (number + 1) * size <= end:  # only for pages of a single row, which cannot overlap
            number = end // size
        yield number, size
        end = (number + 1) * size
