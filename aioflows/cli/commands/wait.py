"""``aioflows wait``: waits until instances are finished, and tells their outcome by its exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC
from typing import TextIO

from aioflows import FlowInstance, FlowSession, FlowStatus, Limits, NotFound, WaitTimeout
from aioflows._display.text import printable
from aioflows.cli.exit_codes import Exit, exit_for, print_error
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import WaitOptions
from aioflows.cli.options.parsing import statuses
from aioflows.cli.output.console import console_on
from aioflows.cli.output.live_meters import CountMeter
from aioflows.cli.output.meters import Meter, meter_of
from aioflows.cli.output.standard_output import standard_output
from aioflows.export.formats.json_lines import line_encoder

__all__ = ["wait"]

_FAILED = {FlowStatus.FAIL, FlowStatus.INTERNAL_ERROR, FlowStatus.TIMEOUT}
_CANCELLED = {FlowStatus.CANCEL, FlowStatus.SKIP}


async def wait(
    connection: ConnectionOptions, ids: Sequence[str], options: WaitOptions, *, quiet: bool, as_json: bool
) -> Exit:
    """Wait for instances, print each with its status, and return the exit code of the worst outcome.

    Args:
        connection: the service and the user.
        ids: the ids of the instances.
        options: the options of the wait.
        quiet: True to print errors only.
        as_json: True to print each instance as a JSON object.
    """
    screen = (
        None if quiet else standard_output()
    )  # it may be closed, which a user wants to know before the wait
    ids = list(dict.fromkeys(ids))
    meter = _meter(len(ids), quiet=quiet, as_json=as_json)
    async with open_session(connection, Limits(), meter) as session:
        waits = [asyncio.create_task(_one(session, name, options)) for name in ids]
        if isinstance(meter, CountMeter):
            meter.count(waits)
        try:
            await asyncio.gather(*waits)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
    outcomes = [task.result() for task in waits]
    done = [outcome for outcome in outcomes if isinstance(outcome, FlowInstance)]
    if screen is not None:
        _print(done, screen, as_json=as_json)
    codes = {Exit.COMPLETE}
    for outcome in outcomes:
        if isinstance(outcome, FlowInstance):
            codes.add(Exit.COMPLETE if options.until else _exit_of(outcome))
        elif (verdict := exit_for(outcome)) is not None:
            codes.add(verdict[0])
            print_error(verdict[1] if as_json else f"error: {verdict[1]}", verdict[0] if as_json else None)
    return max(codes)


async def _one(
    session: FlowSession, name: str, options: WaitOptions
) -> FlowInstance | NotFound | WaitTimeout:
    """Wait for one instance. An error about it is a result, so that the others are waited for all the same."""
    until = statuses(options.until) if options.until else FlowStatus.is_final
    try:
        return await session.wait(name, until, options.within, poll=options.poll, grace=options.grace)
    except (NotFound, WaitTimeout) as error:
        return error


def _exit_of(instance: FlowInstance) -> Exit:
    if instance.status in _FAILED:
        return Exit.FAILED
    return Exit.CANCELLED if instance.status in _CANCELLED else Exit.COMPLETE


def _print(instances: Sequence[FlowInstance], screen: TextIO, *, as_json: bool) -> None:
    if as_json:
        text = line_encoder(UTC).encode(instances).decode()
    else:
        text = "".join(f"{printable(one.instance_id)} {_status_name(one)}\n" for one in instances)
    screen.write(text)
    screen.flush()


def _status_name(instance: FlowInstance) -> str:
    return getattr(instance.status, "name", str(instance.status))


def _meter(total: int, *, quiet: bool, as_json: bool) -> Meter:
    """Return a meter that shows on a terminal how many instances are finished."""
    console = console_on(sys.stderr)
    if console.is_terminal and not quiet and not as_json:
        return CountMeter(console, total)
    return meter_of(None, None, quiet=quiet, as_json=as_json)
