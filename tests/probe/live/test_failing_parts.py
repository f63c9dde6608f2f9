"""Parts that fail again and again are switched off, undone, and told once."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.errors import CommandError
from gradgate.probe.base.guard import Guard
from gradgate.probe.live.failing_parts import MOST, ROOT, FailingParts, Part
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.measure.focus import Focus
from gradgate.probe.measure.look_budget import LookBudget
from gradgate.probe.measure.movement import WeightLooks
from gradgate.probe.measure.sampler import Sampler
from gradgate.probe.measure.total_looks import TotalLooks
from gradgate.probe.progress.trends import Trends
from gradgate.probe.session.run import Run, job_of
from gradgate.probe.session.switches import switchable


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log faults, as in a job, instead of raising them."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)


def fail(*_: object, **__: object) -> None:
    """Take the place of a function that fails."""
    raise ZeroDivisionError("broken")


def failing_in(file: str, inner: Callable[..., None] = fail) -> Callable[..., None]:
    """Return what fails, or calls what does, as a function of this file of the probe's."""
    space: dict[str, Any] = {"inner": inner}
    exec(compile("def outer(*_, **__):\n    inner()", file, "exec"), space)
    return cast("Callable[..., None]", space["outer"])


def train(steps: int, spoil: Callable[[Run], None] = lambda _: None) -> Run:
    """Train so many steps, each of which is sampled; end the run and return it."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False, every=1, budget=1.0)
    spoil(run)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
    return run


def told(run: Run) -> list[str]:
    """Return what is told of parts that were switched off."""
    return [note.detail or "" for note in run.notes() if note.cause == "switched_off"]


@pytest.mark.parametrize(
    ("owner", "name", "lost"),
    [
        (Sampler, "measure", "Gradients are no longer sampled"),
        (WeightLooks, "collect", "How far steps move weights"),
        (Trends, "receive", "Whether steps train is no longer judged"),
        (TotalLooks, "end_step", "The total gradient norm is no longer taken"),
        (BackwardTimer, "step_ended", "Backwards are no longer timed"),
        (Focus, "finish", "Histograms are no longer taken"),
    ],
)
def test_a_part_that_fails_in_ten_steps_is_switched_off(
    owner: type, name: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked any more, and the log and the page say what is lost, once."""
    monkeypatch.setattr(owner, name, failing_in(inspect.getfile(owner)))
    monkeypatch.setattr(LookBudget, "affords", lambda _: True)  # weights, in every step

    def spoil(run: Run) -> None:
        job_of(run).measurement.focus.watch([0], 1000.0)

    run = train(MOST + 4, spoil)
    (sentence,) = told(run)
    assert sentence.startswith(lost)
    assert f"in {MOST} steps, first in step 1 (ZeroDivisionError: broken)" in sentence
    faults = run.guard.faults
    assert run.alerts() == []
    run.detach()
    assert run.guard.faults == faults <= 3 * MOST


def test_the_log_says_it_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However long the job goes on."""
    monkeypatch.setattr(Trends, "receive", failing_in(inspect.getfile(Trends)))
    train(2 * MOST).detach()
    said = [record for record in caplog.records if "switched off" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.ERROR]


def test_a_part_that_fails_now_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """In nine steps: the others are judged as ever, and it is tried in the next."""
    calls: list[int] = []
    receive = Trends.receive

    def fail_at_first(self: Trends, *args: object) -> None:
        calls.append(1)
        if len(calls) < MOST:
            failing_in(inspect.getfile(Trends))()
        receive(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Trends, "receive", fail_at_first)
    run = train(MOST + 4)
    assert told(run) == []
    assert len(calls) == MOST + 4
    run.detach()


class Parts:
    """A part that is in this room of the probe's, and what became of it."""

    def __init__(self) -> None:
        self.step = 1
        self.off = 0
        self.guard = Guard()
        self.failing = FailingParts(self.guard, lambda: self.step)
        self.failing.add(Part("it is lost", ("measure/totals.py",), self.switch_off))

    def switch_off(self) -> None:
        """Take the order."""
        self.off += 1

    def fail(self, *files: str) -> None:
        """Fail in one file of the probe's, called from others, the outermost first."""
        called = fail
        for file in reversed(files):
            called = failing_in(str(ROOT / file), called)
        with self.guard:
            called()


def test_many_faults_in_one_step_count_once() -> None:
    """One step says nothing of the next; it is switched off at a boundary, and once."""
    parts = Parts()
    for _ in range(3 * MOST):
        parts.fail("measure/totals.py")
    assert not parts.failing.due
    for parts.step in range(2, 2 * MOST):
        parts.fail("measure/totals.py")
        parts.failing.switch_off()
    assert parts.off == 1


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        (("session/step_end.py", "measure/totals.py", "torch_compat/readback.py"), True),
        (("measure/totals.py", "measure/norms.py"), True),
        (("measure/totals.py", "link/uplink.py"), False),
        (("measure/totals.py", "live/alerts.py", "base/retry.py"), False),
        (("measure/sampler.py",), False),
    ],
)
def test_a_fault_is_that_of_the_innermost_part(files: tuple[str, ...], counts: bool) -> None:
    """What it shares with others counts as its own; what it only tells of something does not."""
    parts = Parts()
    for parts.step in range(MOST):
        parts.fail(*files)
    assert bool(parts.failing.due) is counts


def test_what_can_be_switched_off_is_there() -> None:
    """Every file and room by which faults are told apart exists."""
    run = train(0)
    job = job_of(run)
    parts = switchable(job.measurement, job.totals, job.progress, job.explainer)
    places = [place for part in parts for place in part.places]
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []
    run.detach()


def test_who_asks_for_an_explanation_is_told() -> None:
    """Once that is switched off, a command is refused with a sentence."""
    run = train(1)
    job_of(run).explainer.switch_off()
    with pytest.raises(CommandError, match="switched off in this run"):
        run.explain()
    run.detach()
