"""How an async function becomes a command."""

from __future__ import annotations

from typing import Annotated

import attrs
import pytest
import typer

from aioflows import QueryError
from aioflows.cli.command import command
from aioflows.cli.exit_codes import Exit


@attrs.frozen
class Size:
    """A group of options."""

    width: Annotated[int, typer.Option(help="How wide.")] = 1
    height: Annotated[int, typer.Option(help="How high.")] = 2


def made(took: list[object]) -> typer.Typer:
    app = typer.Typer(add_completion=False)

    @command(app, "draw")
    async def draw(
        *,
        first: Annotated[str, typer.Option(help="It stands before.")] = "a",
        size: Size,
        last: Annotated[str, typer.Option(help="It stands behind.")] = "z",
    ) -> Exit:
        """Draw something."""
        if size.width < 0:
            raise QueryError("too small")
        took.append((first, size, last))
        return Exit.COMPLETE

    return app


def test_a_function_gets_a_group_of_options_as_one_value() -> None:
    took: list[object] = []
    assert made(took)(["--height", "7", "--last", "q"], standalone_mode=False) == Exit.COMPLETE
    assert took == [("a", Size(1, 7), "q")]


def test_a_person_sees_the_options_of_a_group_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    made([])(["--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    places = [shown.index(option) for option in ("Draw", "--first", "--width", "--height", "--last")]
    assert places == sorted(places)


def test_what_a_function_raises_is_an_exit_code_and_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert made([])(["--width", "-1"], standalone_mode=False) == Exit.USAGE
    assert capsys.readouterr().err == "error: too small\n"


def test_two_groups_may_not_have_the_same_option() -> None:
    with pytest.raises(ValueError, match="duplicate parameter name: 'width'"):

        @command(typer.Typer(), "draw")
        async def draw(*, one: Size, other: Size) -> Exit:
            """Draw something."""
            raise AssertionError(one, other)
