"""The command line options of the emulator: made from its switches, and converted from and to switches."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Sequence

import attrs

from aioflows.emulator.faults.catalogue import Fault
from aioflows.emulator.service.constraints import TYPES
from aioflows.emulator.switches import GROUPS
from aioflows.errors import QueryError

_SEVERAL = (
    "schedule_types",
    "ignore",
    "fault_kinds",
    "zone_turn",
    "changes_in",
    "change_kinds",
    "range_clamp",
    "page_cap_by_type",
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m aioflows.emulator``."""
    made = argparse.ArgumentParser(
        prog="python -m aioflows.emulator",
        description="Serve an emulated EnOS deployment on the loopback interface, and print its URL first.",
        allow_abbrev=False,
    )
    made.add_argument("--host", default="127.0.0.1", help="127.0.0.1 or ::1")
    made.add_argument("--port", type=int, default=0, help="0 means any free port")
    made.add_argument("--path", default=None, help="a file that stores the rows")
    made.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")
    for group in GROUPS:
        options = made.add_argument_group(group.__name__, (group.__doc__ or "").splitlines()[0])
        for field in attrs.fields(group):
            _add(options, field)
    return made


def _add(options: argparse._ArgumentGroup, field: attrs.Attribute[object]) -> None:
    name = f"--{field.name.replace('_', '-')}"
    shown = "" if field.name in ("app_key", "app_secret") else f"default: {field.default}"
    choices = getattr(field.validator, "choices", ())
    if choices:
        shown = f"{', '.join(choices)}; {shown}"
    if isinstance(field.default, bool):
        options.add_argument(
            name, default=argparse.SUPPRESS, action=argparse.BooleanOptionalAction, help=shown
        )
    elif field.name == "faults":
        options.add_argument(
            "--fault",
            dest="faults",
            action="append",
            default=argparse.SUPPRESS,
            help="at=3,kind=throttle,seconds=2",
        )
    else:
        options.add_argument(name, default=argparse.SUPPRESS, help=shown or None)


def switches(arguments: dict[str, object]) -> dict[str, object]:
    """Convert the texts of parsed options into keywords of `Emulator`."""
    fields = {field.name: field for group in GROUPS for field in attrs.fields(group)}
    return {name: _value(fields[name], value) for name, value in arguments.items() if name in fields}


def _value(field: attrs.Attribute[object], value: object) -> object:
    if field.name == "faults":
        return [Fault.parse(text) for text in value] if isinstance(value, list) else value
    if not isinstance(value, str):
        return value
    if field.name in _SEVERAL:
        return [_literal(part) for part in value.split(",") if part]
    return value if isinstance(field.default, str) or field.name in _TEXTS else _literal(value)


_TEXTS = ("app_key", "app_secret", "user_id", "org_id", "claimed_zone")


def _literal(text: str) -> object:
    """Return the Python literal in a text, such as a number or None. Return another text unchanged."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def as_arguments(keywords: dict[str, object]) -> list[str]:
    """Convert keywords of `Emulator` into options.

    Raises:
        QueryError: no option can express a value.
    """
    arguments: list[str] = []
    for name, value in keywords.items():
        option = f"--{name.replace('_', '-')}"
        if name == "faults":
            for fault in _faults(value):
                arguments += ["--fault", _described(fault)]
        elif isinstance(value, bool):
            arguments.append(option if value else f"--no-{option[2:]}")
        elif isinstance(value, dict):  # only `Constraints.page_cap_by_type`
            arguments.append(f"{option}={','.join(str(value.get(type)) for type in TYPES)}")
        elif isinstance(value, (list, tuple, set, frozenset)):
            arguments.append(f"{option}={','.join(str(one) for one in value)}")
        elif value is not None:
            arguments.append(f"{option}={value}")
        elif name in ("user_id", "org_id"):
            raise QueryError(
                f"{name}=None cannot be given to another process; use Emulator, which runs in this process"
            )
    return arguments


def _faults(value: object) -> Sequence[Fault]:
    if not isinstance(value, Sequence) or not all(isinstance(one, Fault) for one in value):
        raise QueryError(f"faults must be a list of Fault, not {value!r}")
    return value


def _described(fault: Fault) -> str:
    given = attrs.asdict(
        fault, filter=lambda field, value: field.default is attrs.NOTHING or value != field.default
    )
    return ",".join(f"{name}={value}" for name, value in given.items())
