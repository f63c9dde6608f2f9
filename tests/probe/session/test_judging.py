"""Samples are judged together while one is like the other, and at once where one is not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.live.explainer import Explainer
from gradgate.probe.measure.measurement import Measured
from gradgate.probe.model.sample import Sample
from gradgate.probe.progress.progress import Progress
from gradgate.probe.session import judging as judging_module
from gradgate.probe.session.judging import LONGEST, MOST, SETTLED, Judging
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, steps


class Judges:
    """Stands for both parts that judge, and keeps which steps came together."""

    def __init__(self) -> None:
        self.alone: list[int] = []
        self.together: list[list[int]] = []
        self.frozen: list[int] = []
        self.held: list[bool] = [True, True]
        self.judged_by: list[tuple[list[int], list[bool]]] = []
        """What was frozen, and what was held, when they were judged."""
        self.told_groups: list[int] = []
        self.now = 0.0

    def judging(self, *, patient: bool = True) -> Judging:
        """Return what gives samples to it, by a clock of its own."""
        progress, explainer = _Progress(self), _Explainer(self)
        return Judging(
            progress,
            explainer,
            Guard(),
            patient=patient,
            frozen=lambda: self.frozen,
            held=lambda: self.held,
            clock=lambda: self.now,
        )


class _Progress:
    def __init__(self, judges: Judges) -> None:
        self._judges = judges

    def receive(self, stretch: list[Sample]) -> None:
        self._judges.alone += [sample.step for sample in stretch]

    def tell_groups(self, step: int) -> None:
        self._judges.told_groups.append(step)


class _Explainer:
    def __init__(self, judges: Judges) -> None:
        self._judges = judges

    def receive(self, samples: list[Sample], frozen: Collection[int], held: list[bool]) -> None:
        self._judges.together.append([sample.step for sample in samples])
        self._judges.judged_by.append((sorted(frozen), held))


def sample(step: int, state: State = State.PRESENT, **more: Any) -> Measured:
    return Measured(Sample(step, 0.0, np.array([state, State.FROZEN], np.uint8), {}, **more))


def settled(judges: Judges, *, patient: bool = True) -> Judging:
    """Return one to which so many samples have come that the next may wait."""
    judging = judges.judging(patient=patient)
    for step in range(1, SETTLED + 1):
        judging.receive(sample(step))
        judging.judge_due()
    return judging


def test_each_is_judged_at_once_until_they_are_alike_for_long() -> None:
    """Whoever counts samples before it tells of a state has counted them by then."""
    judges = Judges()
    settled(judges)
    assert judges.together == [[step] for step in range(1, SETTLED + 1)]


def test_those_that_are_alike_are_judged_together_in_their_order() -> None:
    """So many at most, and none is left out."""
    judges = Judges()
    judging = settled(judges)
    steps = list(range(SETTLED + 1, SETTLED + MOST + 1))
    for step in steps:
        judging.receive(sample(step))
        assert judges.together[-1] == [SETTLED]
        if step != steps[-1]:
            judging.judge_due()
    judging.judge_due()
    assert judges.together[-1] == judges.alone[-MOST:] == steps


@pytest.mark.parametrize(
    "other",
    [
        sample(41, State.ABSENT),
        sample(41, skipped=True),
        sample(41, waiting=frozenset({0})),
        Measured(sample(41).sample, units=[None]),
        Measured(sample(41).sample, movement=object()),
        Measured(Sample(41, 0.0, np.array([State.PRESENT], np.uint8), {})),
    ],
    ids=["state", "skipped", "waiting", "units", "movement", "parameters"],
)
def test_one_that_is_not_alike_or_has_more_is_judged_at_once_with_those_before(
    other: Measured,
) -> None:
    """What it changes comes after what was before it."""
    judges = Judges()
    judging = settled(judges)
    judging.receive(sample(40))
    judging.receive(other)
    judging.judge_due()
    assert judges.together[-1] == [40, 41]


@pytest.mark.parametrize("then", [[], [0], [1, 2]])
def test_what_waits_is_judged_by_what_was_frozen_then(then: list[int]) -> None:
    """A command may come before they are judged, also one that changes no state."""
    judges = Judges()
    judges.frozen = [1]
    judging = settled(judges)
    judging.receive(sample(40))
    judges.frozen = then
    judging.receive(sample(41))
    assert (judges.together[-1], judges.judged_by[-1][0]) == ([40], [1])
    judging.judge()
    assert (judges.together[-1], judges.judged_by[-1][0]) == ([41], then)


def test_what_waits_is_judged_by_what_optimizers_held_then() -> None:
    """A script may take a parameter out of its group before they are judged."""
    judges = Judges()
    judging = settled(judges)
    judging.receive(sample(40))
    judges.held = [False, True]
    judging.receive(sample(41))
    assert (judges.together[-1], judges.judged_by[-1][1]) == ([40], [True, True])
    judging.judge()
    assert (judges.together[-1], judges.judged_by[-1][1]) == ([41], [False, True])


def test_each_has_the_groups_that_applied_it_told_at_once() -> None:
    """A rate may change before it is judged."""
    judges = Judges()
    judging = settled(judges)
    judging.receive(sample(40))
    assert judges.told_groups[-1] == 40
    assert judges.alone[-1] == SETTLED


def test_where_samples_come_rarely_none_waits() -> None:
    """It would wait for one that comes long after it, and save nothing."""
    judges = Judges()
    judging = settled(judges)
    for step in (40, 41, 42):
        judges.now += LONGEST
        judging.receive(sample(step))
        judging.judge_due()
        assert judges.together[-1] == [step]
    judging.receive(sample(43))
    judging.judge_due()
    assert judges.together[-1] == [42]


def test_those_that_come_together_are_judged_together() -> None:
    """Also where they are not alike: weights are looked at once at one moment."""
    judges = Judges()
    judging = judges.judging()
    for step in (1, 2, 3):
        judging.receive(sample(step))
    judging.judge_due()
    assert judges.together == [[1, 2, 3]]


@pytest.mark.parametrize("mode", ["grad", "no_grad"])
def test_after_a_thaw_nobody_asks_why_it_was_frozen_until_then(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples of the time in which it was somebody's wish are not judged as if it were not."""
    monkeypatch.setattr(judging_module, "LONGEST", 60.0)
    model, optimizer = chain(SGD)
    before = SETTLED + MOST // 2
    with probe.attach(model, optimizer, server=False, every=1, expect=["*"]) as run:
        run.freeze("stem", mode=mode)
        steps(model, optimizer, 1, before)
        run.thaw("stem")
        for step in range(before + 1, before + 5):
            steps(model, optimizer, step, step)
            assert not job_of(run).explainer.tracing
            assert run.alerts() == []


def test_a_run_that_ends_with_a_freeze_ends_without_an_alert(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Freezes are taken back at the end, and what waits is judged after that."""
    monkeypatch.setattr(judging_module, "LONGEST", 60.0)
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False, every=1, expect=["*"])
    run.freeze("stem")
    steps(model, optimizer, 1, SETTLED + MOST // 2)
    run.detach()
    assert run.alerts() == []


def test_none_waits_for_long() -> None:
    """Also where steps are slow, and no further sample comes."""
    judges = Judges()
    judging = settled(judges)
    judging.receive(sample(40))
    judges.now = 0.9 * LONGEST
    judging.judge_due()
    assert judges.together[-1] == [SETTLED]
    judges.now = LONGEST
    judging.judge_due()
    assert judges.together[-1] == [40]


def test_where_there_is_no_patience_none_waits() -> None:
    """However alike they are."""
    judges = Judges()
    judging = settled(judges, patient=False)
    judging.receive(sample(40))
    judging.judge_due()
    assert judges.together[-1] == [40]


@pytest.mark.parametrize(
    "options",
    [
        {"expect": ["*"], "strict": True},
        {"expect": probe.expect(frozen=["0.*"])},
        {"expect": probe.expect(frozen_stats=["1"])},
    ],
    ids=["strict", "frozen", "frozen_stats"],
)
def test_what_is_exact_to_the_step_waits_for_none(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strict run ends at its step, and weights that ought to stay are looked at with each."""
    judged: list[list[int]] = []
    monkeypatch.setattr(
        Explainer,
        "receive",
        lambda _, samples, *by: judged.append([each.step for each in samples]),
    )
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    optimizer = SGD(model.parameters(), 0.01)
    with probe.attach(model, optimizer, server=False, every=1, **options):
        for _ in range(SETTLED + MOST):
            optimizer.zero_grad()
            model(torch.randn(4, 2)).square().mean().backward()
            optimizer.step()
    assert judged == [[step] for step in range(1, SETTLED + MOST + 1)]


@pytest.mark.parametrize("by", ["flush", "detach", "state_dict"])
def test_nothing_waits_behind_who_asks_for_all(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample of a real job has been judged once by then, in order."""
    monkeypatch.setattr(judging_module, "LONGEST", 60.0)
    alone: list[int] = []
    last: list[int] = []
    monkeypatch.setattr(
        Progress, "receive", lambda _, stretch: alone.extend(each.step for each in stretch)
    )
    monkeypatch.setattr(Explainer, "receive", lambda _, each, *by: last.append(each[-1].step))
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False, every=1)
    count = SETTLED + MOST // 2
    steps(model, optimizer, 1, count)
    assert alone[-1] < count
    getattr(run, by)()
    assert alone == list(range(1, count + 1))
    assert last[-1] == count
    run.detach()


def test_what_is_known_of_samples_to_come_is_kept_once_until_it_changes() -> None:
    """Each is judged by what was known of its step, and as few objects as may be are kept."""
    judges = Judges()
    judging = settled(judges)
    for step in (40, 41):
        judging.note(step)
    assert judging._noted[40] is judging._noted[41]
    judges.frozen = [1]
    judging.note(42)
    for step in (40, 41, 42):
        judging.receive(sample(step))
    judging.judge()
    assert judges.together[-2:] == [[40, 41], [42]]
    assert judges.judged_by[-2:] == [([], [True, True]), ([1], [True, True])]
