"""Messages between sessions and a governor: what was sent arrives, and nothing else does."""

from __future__ import annotations

import pytest

from aioflows._core.governor.frames import (
    LONGEST_LINE,
    BadFrame,
    GovernorFrame,
    SessionFrame,
    decode_frame,
    encode_frame,
)

FULL = SessionFrame(
    ok=3, done=2, back=1, ask=4, refused=[(0.5, 2.0)], unavailable=[0.1], closed=[0.2], wait=3.0
)


def test_a_message_arrives_as_it_was_sent() -> None:
    assert decode_frame(encode_frame(FULL), SessionFrame) == FULL
    answer = GovernorFrame(at=9.5, go=2, pause=1.5, heard=1, share=4.0, rate=40.0, pong=True)
    assert decode_frame(encode_frame(answer), GovernorFrame) == answer


def test_what_did_not_happen_takes_no_bytes() -> None:
    assert encode_frame(SessionFrame(done=1, ok=1, ask=1)) == b'{"ok":1,"done":1,"ask":1}\n'


def test_the_largest_step_of_a_session_fits_a_line() -> None:
    many = SessionFrame(refused=[(86_399.9999, 86_399.9999)] * 1024, closed=[86_399.9999] * 1024)
    assert len(encode_frame(many)) < LONGEST_LINE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"ask":-1}',
        b'{"ask":1e300}',
        b'{"ask":true}',
        b'{"ask":99999999}',
        b'{"wait":-0.1}',
        b'{"wait":1e99}',
        b'{"refused":[[1]]}',
        b'{"refused":[[NaN,1]]}',
        b'{"other":1}',
        b'{"read":[{"query":"q","from_ms":0}]}',
        b"[" * 50_000,
    ],
)
def test_another_line_is_refused_without_being_repeated(line: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_frame(line, SessionFrame)
    assert str(caught.value) == f"a line of {len(line)} bytes is not a SessionFrame of this protocol"
    assert caught.value.__cause__ is None
