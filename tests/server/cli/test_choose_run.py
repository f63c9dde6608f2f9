"""Which run a person means."""

from __future__ import annotations

import pytest

from gradgate.server.cli.choose_run import NoSuchRun, choose
from gradgate.server.protocol.runs import RunRow, RunStatus

LIVE, LOST, FINISHED = RunStatus.LIVE, RunStatus.LOST, RunStatus.FINISHED


def row(start: str, name: str, status: RunStatus = LIVE, number: int = 1) -> RunRow:
    """A run, of which only id, name and status matter."""
    return RunRow.model_construct(id=start.ljust(16, "0"), name=name, number=number, status=status)


ROWS = [
    row("abc", "digits"),
    row("abd", "gan"),
    row("b", "gan", number=2),
    row("c", "old", number=2),
    row("d", "old", FINISHED),
    row("02", "old", FINISHED, number=3),
    row("e", "ended", FINISHED, number=2),
    row("01", "ended", FINISHED),
    row("f", "away", LOST),
    row("1", "b"),
]


@pytest.mark.parametrize(
    ("wanted", "start"),
    [
        ("abc".ljust(16, "0"), "abc"),
        ("abc", "abc"),
        ("d", "d"),
        ("digits", "abc"),
        ("gan#2", "b"),
        ("old", "c"),
        ("old#1", "d"),
        ("f", "f"),
        ("ended", "e"),
        ("ended#1", "01"),
        ("away", "f"),
    ],
)
def test_a_run_by_id_by_the_beginning_of_one_or_by_a_name(wanted: str, start: str) -> None:
    """A name means the run that lives, or else the latest that had it; a number means any."""
    assert choose(ROWS, wanted).id == start.ljust(16, "0")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (
            "ab",
            r"'ab' may be any of 2 runs: abc0+ \(digits#1, live\), abd0+ \(gan#1, live\)\. Give",
        ),
        ("gan", r"may be any of 2 runs: .*gan#1, live.*gan#2, live"),
        ("b", r"may be any of 2 runs: 1000000000000000 \(b#1, live\), b0+ \(gan#2, live\)"),
        ("digit", r"no run 'digit': `gradgate runs` lists .* Did you mean 'digits'\?"),
        ("", r"no run ''"),
        ("zzzzzz", r"no run 'zzzzzz': `gradgate runs` lists those that there are\.$"),
    ],
)
def test_what_means_no_run_or_several_is_said(wanted: str, sentence: str) -> None:
    """The sentence names the runs that may be meant, and what to give instead."""
    with pytest.raises(NoSuchRun, match=sentence):
        choose(ROWS, wanted)


def test_a_long_list_is_cut() -> None:
    """Many runs that may be meant are counted, not all named."""
    with pytest.raises(NoSuchRun, match=r"any of 20 runs: .* and 15 more"):
        choose([row(f"a{number:02}", f"job {number}") for number in range(20)], "a")
