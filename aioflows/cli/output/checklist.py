"""Checks of a service as a list on a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from aioflows._compiled import decoder_name
from aioflows._display.text import printable
from aioflows.cli.diagnosis.checks import CheckOutcome, SetupCheck, exit_of
from aioflows.cli.diagnosis.examination import Examination
from aioflows.cli.output.console import fold_line

__all__ = ["json_lines", "print_checks"]

_SIGNS = {
    CheckOutcome.OK: ("✓", "green"),
    CheckOutcome.WARNING: ("!", "yellow"),
    CheckOutcome.FAILED: ("✗", "bold red"),
    CheckOutcome.SKIPPED: ("–", "dim"),
}
_LONGEST = 600  # characters of a message


def print_checks(checks: Sequence[SetupCheck], seen: Examination, console: Console) -> None:
    """Print one line for each check, and one below it for what to do."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        sign, style = _SIGNS[check.outcome]
        line = Text.assemble((f"{sign} ", style), (f"{check.name:<{width}}  ", "bold"))
        _print(line.append(printable(check.message, _LONGEST)), console, width + 4)
        if check.advice:
            _print(Text(" " * (width + 4) + f"→ {check.advice}", style), console, width + 6)
    last = f"requests sent: {seen.attempts:,}; all of them only read. Decoder of answers: {decoder_name()}"
    console.print(Text(last, "dim"), soft_wrap=True)


def _print(line: Text, console: Console, indent: int) -> None:
    """Print a line, on a terminal with line breaks between words."""
    for part in fold_line(line, console, indent) if console.is_terminal else [line]:
        console.print(part, soft_wrap=True)


def json_lines(checks: Sequence[SetupCheck], seen: Examination) -> Iterator[str]:
    """Yield one JSON object for each check, and one for all of them."""
    for check in checks:
        yield json.dumps(
            {
                "kind": "check",
                "check": check.name,
                "outcome": check.outcome.value,
                "message": printable(check.message, _LONGEST),
                "advice": check.advice,
            }
        )
    code = exit_of(list(checks))
    failed = [check.name for check in checks if check.outcome is CheckOutcome.FAILED]
    yield json.dumps(
        {
            "kind": "doctor",
            "exit": int(code),
            "failed": failed,
            "requests": seen.attempts,
            "decoder": decoder_name(),
        }
    )
