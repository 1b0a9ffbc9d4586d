"""What other libraries read in an export: the same in every form, by the newest and the oldest releases allowed."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.long, pytest.mark.real_time]


def test_the_readers_that_are_installed_find_what_was_exported() -> None:
    """The readers of this environment find the same columns, types, instants, texts and rows in every form."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.readers", "--here"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
