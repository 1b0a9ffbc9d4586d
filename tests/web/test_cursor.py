"""Signed cursors: what they give back, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest

from aioflows import Checkpoint, FlowQuery, FlowStatus, FollowCheckpoint, QueryError
from aioflows.checkpoint import Remainder, fingerprint, follow_fingerprint
from aioflows.web import CursorSigner, ParameterError

KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"
QUERY = FlowQuery(1704067200000, 1704153600000)
CHECKPOINT = Checkpoint(fingerprint(QUERY), (Remainder(1, 1704067200000, 1704153600000, (1704067201, "a")),))


def test_a_cursor_gives_the_checkpoint_back() -> None:
    signer = CursorSigner(KEY)
    assert signer.checkpoint(signer.cursor(CHECKPOINT), QUERY) == CHECKPOINT
    assert signer.checkpoint(None, QUERY) is None
    assert signer.checkpoint("", QUERY) is None
    followed = FollowCheckpoint(follow_fingerprint(QUERY, changes=True), 5, ())
    assert signer.followed(signer.cursor(followed), QUERY, changes=True) == followed


def test_a_cursor_is_refused_with_another_query_or_key_or_after_its_time() -> None:
    now = [1000.0]
    signer = CursorSigner(KEY, max_age=10, clock=lambda: now[0])
    cursor = signer.cursor(CHECKPOINT)
    for reader, query in (
        (signer, attrs.evolve(QUERY, status=FlowStatus.FAIL)),
        (CursorSigner(OTHER), QUERY),
    ):
        with pytest.raises(ParameterError, match="changed, or is from another query"):
            reader.checkpoint(cursor, query)
    with pytest.raises(ParameterError):
        signer.followed(cursor, QUERY)
    now[0] += 11
    with pytest.raises(ParameterError, match="expired"):
        signer.checkpoint(cursor, QUERY)


def test_no_changed_cursor_is_accepted() -> None:
    signer = CursorSigner(KEY, max_age=10)
    cursor, chance = signer.cursor(CHECKPOINT), random.Random(1)
    for at in range(len(cursor)):
        put = chance.choice(["", "A", ".", "é", "==", "\0"])
        if put != cursor[at]:
            with pytest.raises(ParameterError):
                signer.checkpoint(cursor[:at] + put + cursor[at + 1 :], QUERY)


def test_a_key_can_be_changed_while_cursors_are_in_use() -> None:
    cursor = CursorSigner(KEY).cursor(CHECKPOINT)
    assert CursorSigner([OTHER, KEY]).checkpoint(cursor, QUERY) == CHECKPOINT
    assert KEY.decode() not in repr(CursorSigner(KEY))


@pytest.mark.parametrize("key", ["", "short", []])
def test_a_short_key_is_refused(key: Any) -> None:
    with pytest.raises(QueryError, match="16 bytes"):
        CursorSigner(key)
