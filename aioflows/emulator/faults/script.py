"""The fault of each request: scripted faults first, then random faults from the seed."""

from __future__ import annotations

import math
import random

import attrs

from aioflows.emulator.faults.catalogue import BODY, PACKED, Fault
from aioflows.emulator.faults.spoil import pack_badly, spoil_body
from aioflows.emulator.gateway.options import Trouble
from aioflows.emulator.gateway.throttling import Limiter
from aioflows.emulator.reply import Reply, json_reply, plain


class Script:
    """The faults of an emulator.

    Args:
        trouble: the switches of the faults.
        seed: the seed of the random faults (`Trouble.fault_share`), which are drawn by search number.
    """

    def __init__(self, trouble: Trouble, seed: int) -> None:
        self._trouble = trouble
        self._seed = seed
        self._down_until_ms = -math.inf

    def down(self, now_ms: float) -> bool:
        """Return True during an outage."""
        return now_ms < self._down_until_ms

    def go_down(self, seconds: float, now_ms: float) -> None:
        """Begin an outage."""
        self._down_until_ms = now_ms + seconds * 1000

    def fault(self, operation: str, number: int, number_of_all: int) -> Fault | None:
        """Return the fault of a request, or None.

        Args:
            operation: the operation.
            number: the number of the request among the requests of its operation, from 1.
            number_of_all: the number of the request among all requests, from 1.
        """
        for fault in self._trouble.faults:
            count = number_of_all if fault.on == "any" else number if fault.on == operation else 0
            if fault.at <= count < fault.at + fault.times:
                return fault
        share = self._trouble.fault_share
        if not share or operation != "search":
            return None
        rng = random.Random(f"{self._seed} fault {number}")
        return Fault(number, rng.choice(self._trouble.fault_kinds)) if rng.random() < share else None


def replacement(fault: Fault, key: str, limiter: Limiter, now_ms: float) -> Reply | None:
    """Return the answer that replaces the honest answer, or None if the fault only spoils the honest answer."""
    if fault.kind in ("throttle", "storm"):
        if fault.kind == "storm":
            limiter.storm(fault.seconds, now_ms)
        return limiter.refusal(fault.seconds, key, now_ms)
    if fault.number is None:
        return None
    kind, number = fault.number
    if kind == "code":
        return json_reply(f'{{"{key}":{number},"msg":"scripted fault {number}","data":null}}')
    headers = {"Location": fault.location} if fault.location else {}
    for line in fault.headers.split("|") if fault.headers else ():
        name, _, text = line.partition(":")
        headers[name.strip()] = text.strip()
    waits = (
        fault.retry_after.split("|") if fault.retry_after else [f"{fault.seconds:g}"] * bool(fault.seconds)
    )
    if waits:
        headers["Retry-After"] = waits[0]
    reply = plain(number, "" if number in (204, 304) else f"{number} scripted fault", **headers)
    return attrs.evolve(reply, again=tuple(("Retry-After", wait) for wait in waits[1:]))


def spoil(reply: Reply, fault: Fault) -> Reply:
    """Return an honest answer with a fault of the connection or of the body."""
    if fault.kind in BODY:
        return spoil_body(reply, fault)
    if fault.kind in PACKED:
        return pack_badly(reply, fault)
    if fault.kind == "late":
        return attrs.evolve(reply, delay=fault.seconds)
    return attrs.evolve(reply, wire=fault.kind, pace=fault.seconds or 1.0)
