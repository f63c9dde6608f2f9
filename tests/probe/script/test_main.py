"""What is said to the process that watches a script, and what is the script's own."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from torch.optim import Optimizer

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


@contextmanager
def thread() -> Iterator[None]:
    """A thread that Python would wait for."""
    over = threading.Event()
    other = threading.Thread(target=over.wait, name="other")
    other.start()
    try:
        yield
    finally:
        over.set()
        other.join()


@pytest.mark.parametrize("ends", ["", "sys.exit(3)", "raise ValueError"])
def test_nothing_is_watched_any_more_beside_threads_of_others(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that was there before the script is none that it is waited for, however it ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("train.py").write_text(f"import sys\n{ends}\n")
    monkeypatch.setattr(sys, "argv", ["gradgate", "run", "train.py"])
    before = Optimizer.__init__
    with thread():
        main()
        assert Optimizer.__init__ is before
