"""A script runs as Python would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradgate.probe.script.ending import Ending
from gradgate.probe.script.program import NoProgramError, Program

SAYS = (
    "import os, sys\n"
    "print(__name__, sys.argv[1:], os.path.realpath(sys.path[0]), os.path.realpath(__file__))\n"
    "print(sys.modules['__main__'].__dict__ is globals(), os.path.isabs(__file__))\n"
)


@pytest.mark.parametrize("is_module", [False, True])
def test_a_program_finds_what_it_would_find_alone(
    tmp_path: Path,
    is_module: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its name, its arguments, its folder for imports and itself as `__main__`."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "train.py").write_text(SAYS)
    name = ["-m", "package.train"] if is_module else ["package/train.py"]
    alone = subprocess.run(
        [sys.executable, *name, "--lr", "1"], cwd=tmp_path, capture_output=True, text=True
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gradgate"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    Program(name[-1], ("--lr", "1"), is_module).run()
    assert capsys.readouterr().out == alone.stdout


@pytest.mark.parametrize(("name", "is_module"), [("nope.py", False), ("no.such.module", True)])
def test_what_is_not_there_is_said(
    name: str, is_module: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or a module that cannot be run has a sentence, and nothing runs."""
    monkeypatch.setattr(sys, "argv", ["gradgate"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(NoProgramError, match="There is no"):
        Program(name, is_module=is_module).run()


@pytest.mark.parametrize(
    ("text", "outcome", "code"),
    [
        ("pass", "ended", 0),
        ("raise SystemExit", "ended", 0),
        ("import sys; sys.exit(3)", "exited", 3),
        ("import sys; sys.exit('no\\ndata')", "exited", 1),
        ("1 / 0", "raised", 1),
        ("raise GeneratorExit", "raised", 1),
        ("1 +", "raised", 1),
        ("raise StopIteration('enough')", "stopped", 0),
    ],
)
def test_how_it_ends_is_kept(
    tmp_path: Path,
    text: str,
    outcome: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An error is shown as Python shows it, from the script's own line on."""
    (tmp_path / "train.py").write_text(text)
    monkeypatch.setattr(sys, "argv", ["gradgate"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    ending = Ending(StopIteration)
    with ending:
        Program(str(tmp_path / "train.py")).run()
    assert (ending.outcome, ending.exit_code) == (outcome, code)
    if "data" in text:
        assert ending.error == "no data"
    if outcome == "raised":
        shown = capsys.readouterr().err
        assert shown.count("File") == 1
        assert f"({tmp_path / 'train.py'}:1)" in str(ending.error)


def test_ctrl_c_goes_on() -> None:
    """The process ends by it, as a shell expects."""
    ending = Ending()
    with pytest.raises(KeyboardInterrupt), ending:
        raise KeyboardInterrupt
    assert ending.failed
