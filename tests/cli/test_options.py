"""Every option of every command: its help is a sentence, and the guide explains it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from aioflows.cli.app import app
from aioflows.cli.options import profiles

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
PAGES = "".join(page.read_text(encoding="utf-8") for page in sorted(GUIDE.glob("*.md")))
# typer brings its own copy of click in some versions, whose classes have no common base.
GROUP: Any = typer.main.get_command(app)


@pytest.mark.parametrize("command", sorted(GROUP.commands))
def test_each_option_has_a_sentence_and_is_in_the_guide(command: str) -> None:
    for option in GROUP.commands[command].params:
        if option.param_type_name == "option":
            assert option.help.endswith("."), option.opts
            named = [
                name for name in option.opts if re.search(rf"(?<![\\w-]){re.escape(name)}(?![\\w-])", PAGES)
            ]
            assert named, f"{option.opts} of {command} is not in docs/guide"


@pytest.mark.parametrize("command", sorted(GROUP.commands))
def test_each_command_is_in_the_guide(command: str) -> None:
    assert f"aioflows {command}" in PAGES


def test_each_key_of_a_profile_is_in_the_guide_and_each_option_among_them_exists() -> None:
    known = {name for option in GROUP.commands["scan"].params for name in option.opts}
    assert not [key for key in profiles._OPTIONS if f"--{key}" not in known]
    assert not [key for key in profiles._OPTIONS | profiles._KEYS if f"`{key}`" not in PAGES]
