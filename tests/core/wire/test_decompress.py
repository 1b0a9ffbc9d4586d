"""Compressed bodies, unpacked piece by piece."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.wire.decompress import DamagedBody, Decompressor

MOST = 10_000
BODY = b'{"code":0,"data":{"flowInsts":[],"count":0}}' * 3


def raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def unpacked(encoding: str, *pieces: bytes, most: int = MOST) -> bytes:
    inflater = Decompressor(encoding)
    parts = b"".join(inflater.feed(piece, most) for piece in pieces)
    inflater.close()
    return parts


KINDS = pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw)]
)


@KINDS
@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_in_whatever_pieces_a_body_comes_it_is_the_same(
    encoding: str, pack: Callable[[bytes], bytes], body: bytes, cuts: list[int]
) -> None:
    packed = pack(body)
    edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    pieces = [packed[low:high] for low, high in pairwise(edges)]
    assert unpacked(encoding, *pieces) == body


@KINDS
def test_cut_at_any_byte_it_is_damaged(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(BODY)
    for cut in range(1, len(packed)):
        with pytest.raises(DamagedBody):
            unpacked(encoding, packed[:cut])


def test_with_any_byte_of_its_checksum_changed_it_is_damaged() -> None:
    packed = bytearray(gzip.compress(BODY))
    for place in range(len(packed) - 8, len(packed)):
        wrong = packed.copy()
        wrong[place] ^= 1
        with pytest.raises(DamagedBody):
            unpacked("gzip", bytes(wrong))


def test_members_that_follow_each_other_are_one_body_with_or_without_zeros_between_them() -> None:
    one, other = gzip.compress(BODY), gzip.compress(b"more")
    assert unpacked("gzip", one + other) == BODY + b"more"
    assert unpacked("gzip", one + bytes(9) + other + bytes(3)) == BODY + b"more"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_follows_and_is_no_member_is_damage(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    with pytest.raises(DamagedBody):
        unpacked(encoding, pack(BODY) + b"<html>")


def test_no_more_is_unpacked_than_is_wanted() -> None:
    bomb = gzip.compress(bytes(10_000_000), 9)
    assert len(Decompressor("gzip").feed(bomb, MOST)) == MOST
    assert Decompressor("gzip").feed(bomb, 0) == b""
    assert len(Decompressor("gzip").feed(gzip.compress(bytes(8_000)) * 5, MOST)) == MOST


def test_nothing_at_all_is_an_empty_body() -> None:
    assert unpacked("gzip") == unpacked("gzip", b"") == b""
