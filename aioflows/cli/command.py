"""What makes a command of the command line out of an async function.

1. A parameter whose type is a group of options, an attrs class with `flags` for its fields, stands for all of them: a
   person sees its options one by one, in its place, and the function gets one value. So a command says what it takes,
   and what several of them take is named once.
2. However the function ends, the command ends with an exit code and at most one line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, get_type_hints

import attrs
import typer

from aioflows.cli.exit_codes import EPILOG, Exit
from aioflows.cli.run import ended

__all__ = ["command"]

_Work: TypeAlias = Callable[..., Coroutine[Any, Any, Exit]]


def command(app: typer.Typer, name: str, *, interruptible: bool = True) -> Callable[[_Work], _Work]:
    """Make a function a command; its docstring is the help, and ``as_json``, if it takes that, is for `ended` too.

    Args:
        app: what it is a command *of*.
        name: what it is *called*.
        interruptible: whether it is worth a word, and a code, that it was interrupted.
    """

    def register(work: _Work) -> _Work:
        hints = get_type_hints(work, include_extras=True)
        groups = {parameter: hint for parameter, hint in hints.items() if attrs.has(hint)}
        options: list[inspect.Parameter] = []
        for one in inspect.signature(work).parameters.values():
            hint = hints[one.name]
            options += _options(hint) if one.name in groups else [one.replace(annotation=hint)]

        def run(**given: Any) -> None:
            as_json = given.get("as_json", False)
            grouped = {
                parameter: group(**{one.name: given.pop(one.name) for one in attrs.fields(group)})
                for parameter, group in groups.items()
            }
            raise typer.Exit(
                ended(lambda: work(**given, **grouped), interruptible=interruptible, as_json=as_json)
            )

        vars(run)["__signature__"] = inspect.Signature(options)
        run.__doc__ = work.__doc__
        app.command(name, epilog=EPILOG)(run)
        return work

    return register


def _options(group: type[attrs.AttrsInstance]) -> list[inspect.Parameter]:
    hints, kind = get_type_hints(group, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(one.name, kind, default=one.default, annotation=hints[one.name])
        for one in attrs.fields(group)
    ]
