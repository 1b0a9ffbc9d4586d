"""A decorator that makes a command of the command line from an async function.

1. A parameter whose type is an attrs class stands for a group of options, one for each field of the class.
   The help shows each option of the group, and the function gets one value. So an option of several commands
   is declared once.
2. However the function ends, the command ends with an exit code and at most one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_type_hints

import attrs
import typer
from typer.models import OptionInfo

from aioflows.cli.exit_codes import EPILOG, Exit
from aioflows.cli.run import run_command

__all__ = ["command"]

_AsyncCommand: TypeAlias = Callable[..., Coroutine[Any, Any, Exit]]


def command(
    app: typer.Typer, name: str, *, interruptible: bool = True
) -> Callable[[_AsyncCommand], _AsyncCommand]:
    """Return a decorator that adds a function to an application as a command.

    The function's docstring is the command's help. Parameters ``as_json`` and ``quiet`` are also passed to
    `run_command`.

    Args:
        app: application that the command is added to.
        name: name of the command.
        interruptible: False for a command that ends normally with a signal; see `run_command`. Default: True.
    """

    def register(function: _AsyncCommand) -> _AsyncCommand:
        hints = get_type_hints(function, include_extras=True)
        groups = {name: hint for name, hint in hints.items() if attrs.has(hint)}
        options: list[inspect.Parameter] = []
        for parameter in inspect.signature(function).parameters.values():
            hint = hints[parameter.name]
            options += _options(hint) if parameter.name in groups else [parameter.replace(annotation=hint)]

        def run(**given: Any) -> None:
            how = {name: given.get(name, False) for name in ("as_json", "quiet")}
            grouped = {
                name: group(
                    **{field.name: given.pop(field.name) for field in attrs.fields(group) if field.init}
                )
                for name, group in groups.items()
            }
            raise typer.Exit(
                run_command(lambda: function(**given, **grouped), interruptible=interruptible, **how)
            )

        for option in options:
            _name_value(option.annotation)
        # typer reads the options from the signature.
        vars(run)["__signature__"] = inspect.Signature(options)
        run.__doc__ = function.__doc__
        app.command(name, epilog=EPILOG)(run)
        return function

    return register


_VALUES = {bool: "", int: "NUMBER", float: "NUMBER", str: "TEXT", Path: "FILE"}


def _name_value(hint: Any) -> None:
    """Show a word for the value of an option, instead of its type in Python."""
    declared, *rest = get_args(hint) or (None,)
    kinds = {declared, *get_args(declared), *(inner for one in get_args(declared) for inner in get_args(one))}
    for info in rest:
        if isinstance(info, OptionInfo) and info.metavar is None:
            info.metavar = next((word for kind, word in _VALUES.items() if kind in kinds), None)


def _options(group: type[attrs.AttrsInstance]) -> list[inspect.Parameter]:
    hints, kind = get_type_hints(group, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in attrs.fields(group)
        if field.init
    ]
