"""What is said to the process that watches a script, and what is the script's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gradgate.probe.script.__main__ import main


@pytest.mark.parametrize(
    "own",
    [
        ["--n", "5", "--s", "--e=1"],  # how several options of ours begin
        ["--name", "mine", "--server=x", "--every", "none", "--expect", "--strict"],
        ["-h", "--help", "--", "run", "--m", "-n5"],
    ],
)
def test_what_follows_the_script_is_its_own(
    own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Whatever it looks like."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("train.py").write_text("import json, sys\nprint(json.dumps(sys.argv))\n")
    monkeypatch.setattr(sys, "argv", ["gradgate", "run", "--every=3", "train.py", *own])
    assert not main()
    assert json.loads(capsys.readouterr().out)[1:] == own
