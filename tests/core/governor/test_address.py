"""The address of a governor: a text that is passed on as it is, and a secret that nothing else shows."""

from __future__ import annotations

import traceback

import pytest

from aioflows import QueryError
from aioflows._core.governor.address import GovernorAddress
from aioflows._core.governor.frames import GovernorFrame, decode_frame, encode_frame
from aioflows._core.governor.share import MOST_SHARE, UNKNOWN_SHARE, KnownRate
from aioflows._display.secret import Secret

SECRET = "5ec2e7" * 8
GOOD = f"aioflows://node-1.example:4100/?secret={SECRET}&share=2.5000"


@pytest.mark.parametrize("host", ["127.0.0.1", "node-1.example", "::1"])
def test_a_text_gives_the_address_that_it_was_made_of(host: str) -> None:
    address = GovernorAddress(host, 4100, Secret(SECRET), 2.5)
    assert GovernorAddress.parse(address.text()) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        GOOD[:-7],
        GOOD.replace("aioflows:", "http:"),
        GOOD.replace(":4100", ""),
        GOOD.replace("4100", "0"),
        GOOD.replace("4100", "70000"),
        GOOD.replace("2.5000", "0"),
        GOOD.replace("2.5000", "inf"),
        GOOD.replace("2.5000", "-1"),
        GOOD + "&more=1",
        GOOD + "\n",
        GOOD.replace(SECRET, SECRET[:9]),
        GOOD.replace("node-1", "node 1"),
        GOOD.replace("node-1", "user:password@node-1"),
        7,
        None,
    ],
)
def test_another_text_is_refused_and_its_secret_not_shown(text: str) -> None:
    with pytest.raises(QueryError, match=r"pass Governor\.address as it is") as caught:
        GovernorAddress.parse(text)
    assert SECRET[:9] not in "".join(traceback.format_exception(caught.value))


def test_only_its_text_shows_the_secret() -> None:
    address = GovernorAddress.parse(GOOD)
    assert SECRET in address.text()
    assert SECRET not in f"{address} {address!r} {vars(type(address))}"


def test_a_proof_depends_on_the_secret_and_on_the_nonce() -> None:
    one, other = GovernorAddress.parse(GOOD), GovernorAddress.parse(GOOD.replace(SECRET, SECRET[::-1]))
    assert len({one.proof("a"), one.proof("b"), other.proof("a")}) == 3


class TestShare:
    def test_it_is_a_part_of_the_rate_that_was_given_or_found(self) -> None:
        assert KnownRate(40.0).share(None, 8) == 5.0
        assert KnownRate(None).share(40.0, 8) == 5.0
        assert KnownRate(40.0).share(24.0, 8) == 3.0

    def test_without_refusals_it_is_a_part_of_what_was_answered_in_the_best_second(self) -> None:
        known = KnownRate(None)
        for now, count in ((1.0, 10), (1.5, 30), (2.2, 8)):
            known.answered(count, now)
        assert known.share(None, 8) == 5.0

    def test_it_is_never_without_a_limit(self) -> None:
        assert KnownRate(None).share(None, 8) == UNKNOWN_SHARE
        assert KnownRate(0.001).share(None, 1_000) > 0

    def test_any_rate_fits_a_message_and_an_address(self) -> None:
        share = KnownRate(1e300).share(None, 8)
        line = encode_frame(GovernorFrame(share=share, rate=MOST_SHARE))
        assert decode_frame(line, GovernorFrame).share == share
        address = GovernorAddress("h", 1, Secret(SECRET), share)
        assert GovernorAddress.parse(address.text()).share == share
