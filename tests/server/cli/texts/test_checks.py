"""The report of a check in a terminal."""

from __future__ import annotations

from gradgate.server.cli.texts.checks import check_lines
from tests.support.checking import finding, report


def test_a_report_says_what_trains_and_what_does_not_and_why() -> None:
    """Parameters of one cause together, with the line of code; the verdict stands last."""
    lines = list(
        check_lines(
            report(
                finding(),
                finding("style.bias"),
                finding("gain", level="note", cause="update_ratio", file=None, source=None),
                finding("norm.weight", level="untrained", cause="frozen_by_script"),
                finding("known", accepted=True),
            )
        )
    )
    assert lines == [
        "models/train.py: 20 steps of Net under AdamW",
        "  trains         2 of 4 parameters, 80 of 100 numbers (80.0%)",
        "  frozen         1 of 4 parameters, 10 of 100 numbers (10.0%)",
        "  does not train 1 of 4 parameters, 10 of 100 numbers (10.0%)",
        "  never moved    style.weight",
        "",
        "style.weight, style.bias: detached at models/train.py:12",
        "    `style.weight` reaches the loss only through `detach()` at train.py:12.",
        "    Remove it.",
        "    > 12 | style = self.style(h).detach()  # <b>",
        "",
        "note: gain: update_ratio",
        "    `gain` reaches the loss only through `detach()` at train.py:12.",
        "    Remove it.",
        "",
        "Does not train, and nobody expects that it does:",
        "    norm.weight: frozen_by_script at models/train.py:12",
        "",
        "1 finding; `gradgate cause ID` says more of each cause. The baseline accepts 1 finding "
        "more.",
    ]


def test_what_is_not_checked_is_said() -> None:
    """Processes that the script started, tensors, and a script in which nothing was found."""
    started = [
        {"name": "rank 0", "checked": True, "steps": 20},
        {"name": "loader", "checked": True, "steps": 0},
        {"name": "gone", "checked": True},
        {"name": "Worker-2", "checked": False},
    ]
    lines = list(check_lines(report(finding(processes=("rank 0",)), processes=started)))
    assert lines[5] == "  trained in     rank 0, which it started"
    assert lines[6].startswith("Not checked: gone, Worker-2, which the script started")
    assert lines[8] == "style.weight: detached at models/train.py:12 in rank 0"
    assert not any("not checked " in line for line in lines)
    loose = list(check_lines(report(loose=1)))
    assert loose[5] == "  not checked    1 tensor that an optimizer holds and no watched module"
    lack = "no torch.optim.Optimizer was made in this process"
    nothing = report(models=[], optimizers=[], parameters=[], steps=0, lack=lack)
    assert list(check_lines(nothing)) == [
        "models/train.py: 0 steps",
        "",
        f"Nothing was found to check: {lack}.",
    ]
