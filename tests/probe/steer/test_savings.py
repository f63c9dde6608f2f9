"""What a command saved, from figures given by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest

from gradgate.probe.steer.savings import WARM_UP, WINDOW, Saved, Savings


@dataclass(frozen=True)
class Step:
    """The backward of a step."""

    step: int
    seconds: float
    memory: int | None = None


def feed(
    savings: Savings[str], steps: range, seconds: float, memory: int | None = None
) -> list[tuple[str, Saved]]:
    """Give one figure a step, and return what came of it."""
    found = [savings.add(Step(step, seconds, memory)) for step in steps]
    return [each for each in found if each is not None]


def test_the_medians_before_and_after_are_compared_once() -> None:
    """Ten measured steps after the warm-up make one figure, and only one."""
    savings = Savings[str]()
    assert feed(savings, range(1, 31), 0.012, 900) == []
    savings.begin("freeze", 30, 4096)
    assert feed(savings, range(31, 33), 9.0, 5) == []  # the warm-up
    assert feed(savings, range(33, 42), 0.007, 700) == []
    assert savings.add(Step(42, 50.0, 700)) == (
        "freeze",
        Saved(0.012, 0.007, 10, 4096, 900, 700, 0.0, 0.0, True),
    )
    assert feed(savings, range(43, 80), 0.007) == []


def test_the_window_before_is_the_latest_twenty_steps() -> None:
    """Figures from further back do not count."""
    savings = Savings[str]()
    feed(savings, range(1, 100), 5.0)
    feed(savings, range(100, 120), 1.0)
    savings.begin("freeze", 119, 0)
    ((_, saved),) = feed(savings, range(120, 132), 0.5)
    assert (saved.backward_before, saved.backward_after) == (1.0, 0.5)


def wanted(savings: Savings[str], steps: range, seconds: float = 1.0) -> list[int]:
    """Measure the steps that are wanted, and return them."""
    made = []
    for step in steps:
        if savings.wants(step):
            made.append(step)
            savings.add(Step(step, seconds))
    return made


def test_once_there_are_enough_of_before_one_step_in_six_is_wanted() -> None:
    """Each again for a command, until it has its figure and as many as before are kept."""
    savings = Savings[str]()
    assert all(savings.wants(step) for step in range(1, 200))
    feed(savings, range(1, WINDOW), 1.0)
    assert all(savings.wants(step) for step in range(1, 200))
    feed(savings, range(WINDOW, WINDOW + 1), 1.0)
    assert 70 < len(wanted(savings, range(21, 521))) < 85
    savings.begin("freeze", 30, 0)
    feed(savings, range(31, 32), 1.0)
    assert all(savings.wants(step) for step in range(33, 200))
    feed(savings, range(33, 60), 1.0)
    assert 70 < len(wanted(savings, range(60, 560))) < 85


@pytest.mark.parametrize(
    ("seconds", "between"), [(1.0, 6), (0.05, 6), (0.02, 12.5), (0.01, 25), (1e-3, 40), (0.0, 40)]
)
def test_short_backwards_are_measured_less_often(seconds: float, between: float) -> None:
    """About a quarter of a second of them lies between two, and never more than sixty steps."""
    savings = Savings[str]()
    feed(savings, range(1, WINDOW + 1), seconds)
    made = wanted(savings, range(21, 4021), seconds)
    assert 4000 / len(made) == pytest.approx(between + 0.5, rel=0.25)
    gaps = [later - before for before, later in pairwise(made)]
    assert max(gaps) <= 1.5 * between + 1
    assert min(gaps) >= int(0.5 * between)


@pytest.mark.parametrize("seconds", [0.1, 10.0])
def test_what_the_script_itself_has_changed_is_credited_to_no_command(seconds: float) -> None:
    """Of before there is what came since; and of a job without a change all that there is."""
    savings = Savings[str]()
    found = []
    for step in range(1, 300):
        if step == 265:
            savings.begin("freeze", 264, 0)
        if savings.wants(step):
            noise = 1 + step * 7 % 10 / 100
            found.append(savings.add(Step(step, noise * (1.0 if step < 240 else seconds))))
    ((_, saved),) = [each for each in found if each is not None]
    assert saved.backward_before == pytest.approx(seconds, rel=0.1)
    assert not saved.measurable


@pytest.mark.parametrize("seconds", [1.0, 0.01, 0.001])
@pytest.mark.parametrize("period", [2, 3, 4, 5, 8, 10, 16])
def test_steps_of_every_kind_are_wanted_as_often_as_they_are_made(
    period: int, seconds: float
) -> None:
    """About: as where each fourth step is regularized, whose backward takes longer."""
    savings = Savings[str]()
    feed(savings, range(1, WINDOW + 1), seconds)
    made: list[int] = []
    while len(made) < 60 * period:
        made += wanted(savings, range(savings._rests_until, savings._rests_until + 100), seconds)
    counts = [sum(step % period == kind for step in made) for kind in range(period)]
    assert all(45 <= count <= 75 for count in counts)


@pytest.mark.parametrize(("steps", "figures"), [(4, 0), (5, 1)])
def test_fewer_than_five_steps_before_make_no_figure(steps: int, figures: int) -> None:
    """A command right after attach has nothing to be compared with."""
    savings = Savings[str]()
    feed(savings, range(1, steps + 1), 1.0)
    savings.begin("freeze", steps, 0)
    found = feed(savings, range(steps + 1, steps + 30), 0.5)
    assert len(found) == figures
    assert [saved.steps for _, saved in found] == [5] * figures


def test_another_command_in_between_ends_the_measurement() -> None:
    """The earlier has no figure; the later one is compared with the time between them only."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("first", 20, 0)
    feed(savings, range(21, 31), 0.5)  # eight of them are measured
    savings.begin("second", 30, 0)
    ((key, saved),) = feed(savings, range(31, 60), 0.25)
    assert (key, saved.backward_before, saved.backward_after, saved.steps) == (
        "second",
        0.5,
        0.25,
        8,
    )


def test_two_commands_at_one_step_have_no_figure() -> None:
    """Nobody knows which of them saved what."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("first", 20, 0)
    savings.begin("second", 20, 0)
    assert feed(savings, range(21, 60), 0.5) == []


def test_the_steps_of_a_warm_up_are_not_the_next_commands_before() -> None:
    """Four measured steps and two of warm-up are not six."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("first", 20, 0)
    feed(savings, range(21, 27), 0.5)
    savings.begin("second", 26, 0)
    assert feed(savings, range(27, 60), 0.25) == []


def test_a_recompilation_has_a_longer_warm_up() -> None:
    """The first steps of compiled code do not count."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("freeze", 20, 0, recompiles=True)
    feed(savings, range(21, 26), 30.0)
    ((_, saved),) = feed(savings, range(26, 36), 0.5)
    assert saved.backward_after == 0.5


def test_a_figure_that_comes_late_belongs_to_its_own_step() -> None:
    """On a device a step's figure is known steps later, and counts by its number."""
    savings = Savings[str]()
    feed(savings, range(1, 19), 1.0)
    savings.begin("freeze", 20, 0)
    feed(savings, range(19, 23), 30.0)  # 19 and 20 were before, 21 and 22 are the warm-up
    ((_, saved),) = feed(savings, range(23, 33), 0.5)
    assert (saved.backward_before, saved.backward_after) == (1.0, 0.5)


def test_a_job_whose_steps_seldom_have_a_figure_is_not_waited_for() -> None:
    """After a hundred steps without ten figures there is none."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("freeze", 20, 0)
    assert feed(savings, range(23, 123, 20), 0.5) == []
    assert feed(savings, range(123, 160), 0.5) == []


def test_without_an_accelerator_there_is_no_memory_figure() -> None:
    """A thaw's gradient bytes are negative, and memory is null on the wire."""
    savings = Savings[str]()
    feed(savings, range(1, 21), 1.0)
    savings.begin("thaw", 20, -8)
    ((_, saved),) = feed(savings, range(21, 40), 2.0)
    assert saved.as_message() == {
        "backward_before": 1.0,
        "backward_after": 2.0,
        "steps": 10,
        "gradient_bytes": -8,
        "memory_before": None,
        "memory_after": None,
        "spread_before": 0.0,
        "spread_after": 0.0,
        "measurable": True,
    }


def compared(before: Sequence[float], after: Sequence[float]) -> Saved:
    """Return what is said of a command with these backwards before it and after it."""
    savings = Savings[str]()
    for step, seconds in enumerate(before, 1):
        savings.add(Step(step, seconds))
    savings.begin("freeze", len(before), 0)
    first = len(before) + 1 + WARM_UP
    found = [savings.add(Step(first + step, seconds)) for step, seconds in enumerate(after)]
    ((_, saved),) = (each for each in found if each is not None)
    return saved


@pytest.mark.parametrize(
    ("before", "after", "measurable"),
    [
        ([1.0] * 20, [0.5] * 10, True),
        ([1.0] * 20, [0.99] * 10, False),  # less than two per cent
        ([1.0, 1.2] * 10, [0.5, 0.6] * 5, True),
        ([1.0] * 6 + [2.0] * 14, [1.0] * 10, False),  # the middle halves touch
        ([1.0, 1.3, 1.6, 1.9, 2.2], [0.9, 1.0, 0.4, 1.1, 0.6] * 2, False),  # too few for it
    ],
)
def test_a_change_is_more_than_the_noise_of_the_steps(
    before: Sequence[float], after: Sequence[float], measurable: bool
) -> None:
    """Medians within the spread of the steps are no change, however far apart they are."""
    assert compared(before, after).measurable is measurable


def test_the_spread_is_between_the_quarters() -> None:
    """One slow step in twenty makes no spread."""
    saved = compared([*([1.0, 3.0] * 8), 1.0, 3.0, 1.0, 90.0], [2.0] * 9 + [50.0])
    assert (saved.spread_before, saved.spread_after) == (2.0, 0.0)
