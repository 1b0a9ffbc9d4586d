"""What a shell completes: commands, options and their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from aioflows.cli.app import run


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("aioflows sc", ["scan"]),
        ("aioflows scan --las", ["--last"]),
        ("aioflows scan --status FA", ["FAIL"]),
        ("aioflows count --by d", ["day"]),
        ("aioflows scan --profile p", ["prod"]),
        ("aioflows scan --profile nosuch --las", ["--last"]),
    ],
)
def test_it_is_what_begins_so(
    typed: str,
    completed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.toml").write_text("[prod]\n[test]\n")
    for name, value in (
        ("AIOFLOWS_CONFIG", str(tmp_path / "config.toml")),
        ("_AIOFLOWS_COMPLETE", "complete_bash"),
        ("COMP_WORDS", typed),
        ("COMP_CWORD", str(len(typed.split()) - 1)),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        run([])
    assert not ended.value.code
    assert capsys.readouterr().out.split() == completed
