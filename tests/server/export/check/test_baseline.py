"""A baseline keeps what is accepted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgate.server.export.check.baseline import BaselineError, baseline_of, read_baseline
from tests.support.checking import finding, report


def test_what_is_accepted_fails_no_more_and_what_is_new_does(tmp_path: Path) -> None:
    """A finding is known by its cause, its parameter and its file; its line may move."""
    file = tmp_path / "baseline.json"
    file.write_text(baseline_of(report(finding(), finding("spare", level="note"))).text)
    moved = finding(line=40, source=None)
    others = [finding("style.bias"), finding(cause="no_grad"), finding(file="/elsewhere.py")]
    accepted = read_baseline(file).accept(report(moved, *others, finding("spare")))
    assert [each.accepted for each in accepted.findings] == [True, False, False, False, False]
    assert len(accepted.errors) == 4


def test_a_baseline_is_the_same_in_another_checkout(tmp_path: Path) -> None:
    """Files are relative to the folder that the check ran in."""
    file = tmp_path / "baseline.json"
    file.write_text(baseline_of(report(finding())).text)
    assert "/home" not in file.read_text()
    there = report(finding(file="/ci/job/models/train.py"), folder="/ci/job")
    assert read_baseline(file).accept(there).errors == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--write-baseline makes one"),
        (
            "[]",
            "is no baseline of gradgate check: make it anew with --write-baseline",
        ),
        ('{"version": 7, "accepted": []}', "of version 7"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """With what to do."""
    file = tmp_path / "baseline.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BaselineError, match=message):
        read_baseline(file)
