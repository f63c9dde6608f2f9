"""Steps that nobody looks at are counted, and leave all else to a later boundary."""

from __future__ import annotations

import math
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from gradgate.probe.measure.pace import Pace
from gradgate.probe.measure.schedule import SamplingSchedule
from gradgate.probe.session import unseen_steps
from gradgate.probe.session.lull import Lull
from gradgate.probe.session.run_state import RunState
from gradgate.probe.session.unseen_steps import UnseenSteps


class Calm:
    """Takes every step and every ``zero_grad``, and notes them."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begins(self, k: int, *, alone: bool) -> bool:
        self.told.append("begins" if alone else "begins with more")
        return alone

    def passes(self, k: int) -> bool:
        self.told.append("passes")
        return True

    def clears(self, k: int) -> bool:
        self.told.append("clears")
        return True


class Planned:
    """Three steps that nobody looks at."""

    def __init__(self, *, is_quiet: bool = True, is_calm: bool = False) -> None:
        self.commands: list[str] = []
        self.unmarked: list[int] = []
        self.state, self.schedule = RunState(), SamplingSchedule(Pace(100, 0.01))
        self.timer: Any = SimpleNamespace(rests=True)
        self.lull = Lull(self.commands)
        self.lull.begin(3, math.inf, is_quiet=is_quiet, is_calm=is_calm)
        self.calm = Calm()
        self.unseen = UnseenSteps(
            self.state, self.lull, self.timer, self.schedule, self.unmarked, cast(Any, self.calm)
        )

    def step(self) -> bool:
        """Begin a step, and end it; return whether it could."""
        self.unseen.begins(0, (None,), {})
        self.state.between = False
        return self.unseen.passes(0)


def test_each_is_counted_and_accounted_for_with_the_next_that_is_not() -> None:
    """Up to the last that was planned; between two of them a command takes effect at once."""
    planned = Planned()
    assert [planned.step() for _ in range(4)] == [True, True, True, False]
    assert planned.state.step == 3
    assert planned.state.between is False  # the fourth has not ended
    planned = Planned()
    assert planned.step()
    assert planned.state.at_boundary()
    planned.schedule.end_step(2, 1.0, sampled=False)
    assert planned.schedule.pace.unseen > 0


def test_a_step_that_somebody_looks_at_is_another_s() -> None:
    """Nothing of it is done here."""
    planned = Planned(is_quiet=False, is_calm=True)
    assert planned.unseen.begins(0, (None,), {})
    assert planned.unseen.passes(0)
    assert planned.unseen.clears(0, dropped=True)
    assert planned.calm.told == ["begins", "passes", "clears"]
    assert planned.state.step == 0


def test_nobody_measures_before_a_closure_or_what_zero_grad_may_have_left() -> None:
    """The one computes gradients inside the step; of the others nothing is known."""
    planned = Planned(is_quiet=False, is_calm=True)
    assert not planned.unseen.begins(0, (None, len), {})
    assert not planned.unseen.begins(0, (None,), {"closure": len})
    assert not planned.unseen.clears(0, dropped=False)
    planned.lull.end()
    assert not planned.unseen.clears(0, dropped=True)
    assert planned.calm.told == ["begins with more"] * 2


@pytest.mark.parametrize("what", ["command", "timing", "end", "capture", "backward"])
def test_what_turns_up_in_a_step_has_its_boundary_do_all(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody has prepared for it, and nothing was done of it."""
    planned = Planned()
    assert planned.unseen.begins(0, (None,), {})
    if what == "command":
        planned.commands.append("freeze")
    elif what == "timing":
        planned.timer.rests = False
    elif what == "end":
        planned.lull.end()
    else:
        name = {"capture": "capturing", "backward": "inside_backward"}[what]
        monkeypatch.setattr(unseen_steps, name, lambda: True)
    assert not planned.unseen.passes(0)
    assert planned.unseen.is_quiet
    assert planned.state.step == 0


def test_a_step_that_another_thread_makes_is_not_passed() -> None:
    """It is the training thread from then on, which the boundary notes."""
    planned, passed = Planned(), list[bool]()
    thread = threading.Thread(target=lambda: passed.append(planned.step()), daemon=True)
    thread.start()
    thread.join(20)
    assert passed == [False]


def test_an_optimizer_that_steps_inside_a_backward_is_told_of() -> None:
    """Which is asked of torch itself."""
    planned, passed = Planned(), list[bool]()
    weight = torch.ones(1, requires_grad=True)
    weight.register_post_accumulate_grad_hook(lambda _: passed.append(planned.step()))
    weight.sum().backward()
    assert passed == [False]


def test_zero_grad_is_heard_of_while_gradients_wait_for_a_mark() -> None:
    """Those of the sampled step before."""
    planned = Planned()
    assert planned.unseen.clears(0, dropped=True)
    planned.unmarked.append(0)
    assert not planned.unseen.clears(0, dropped=True)
    planned.unmarked.clear()
    planned.lull.look()
    assert not planned.unseen.clears(0, dropped=True)
