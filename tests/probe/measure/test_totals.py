"""The total norm of steps that are sampled and that are not, as it is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.measure import pending_sample, totals
from gradgate.probe.measure.allowance import FREE
from gradgate.probe.measure.total_looks import TotalLooks
from gradgate.probe.measure.totals import LONGEST, MOST_STEPS
from gradgate.probe.model.sample import Sample
from gradgate.probe.model.totals import BEFORE_CLIPPING, NONFINITE, SKIPPED, StepTotal, Totals
from gradgate.probe.session.judging import SETTLED
from gradgate.probe.session.run import job_of

NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, but somebody is to be told."""
UNSAMPLED = 1_000_000


@dataclass
class Sent:
    """What a run sends."""

    totals: list[Totals] = field(default_factory=list)
    sampled: list[int] = field(default_factory=list)

    @property
    def steps(self) -> list[StepTotal]:
        """Every step that was told."""
        return [each for totals in self.totals for each in totals.steps]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the uplink is given to send."""
    found = Sent()

    def keep(_: Uplink, sample: Sample) -> None:
        found.sampled.append(sample.step)

    monkeypatch.setattr(Uplink, "send_totals", lambda _, totals: found.totals.append(totals))
    monkeypatch.setattr(Uplink, "send_sample", keep)
    return found


@contextmanager
def watched(
    model: nn.Module, optimizer: Any, every: int = UNSAMPLED, **options: Any
) -> Iterator[probe.Run]:
    """Attach, and send what is left at the end."""
    given = {"server": NOBODY, "totals": True, **options}
    with probe.attach(model, optimizer, every=every, **given) as run:
        yield run
        job_of(run).delivery.send(wait=True)


def make() -> tuple[nn.Linear, torch.optim.SGD]:
    """A layer whose gradient is what the loss multiplies its weight by."""
    model = nn.Linear(4, 1, bias=False)
    return model, torch.optim.SGD(model.parameters(), lr=1e-6)


def step(model: nn.Linear, optimizer: torch.optim.Optimizer, size: float) -> None:
    """Make a step whose gradient has the norm ``size``."""
    (model.weight.sum() * (size / 2)).backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_spike_of_one_step_is_told_and_the_next_step_sampled(sent: Sent) -> None:
    """At once, with its step, though nobody sampled it."""
    model, optimizer = make()
    with watched(model, optimizer):
        for number in range(1, 31):
            step(model, optimizer, 1000.0 if number == 20 else 1.0)
            if number == 20:
                assert sent.steps[-1] == StepTotal(20, 1000.0)
    assert [(each.step, each.norm) for each in sent.steps if each.norm > 1] == [(20, 1000.0)]
    assert [each.step for each in sent.steps] == list(range(1, 31))
    assert sent.sampled == [21]


@pytest.mark.parametrize("every", [1, UNSAMPLED])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_told(sent: Sent, bad: float, every: int) -> None:
    """At once, from the first step on, also where no gradient is finite."""
    model, optimizer = make()
    with watched(model, optimizer, every):
        step(model, optimizer, bad)
        assert [each.flags for each in sent.steps] == [NONFINITE]
        with torch.no_grad():
            model.weight.fill_(1.0)
        step(model, optimizer, 1.0)
    assert [each.flags for each in sent.steps] == [NONFINITE, 0]
    assert sent.sampled == ([2] if every == UNSAMPLED else [1, 2])


@pytest.mark.parametrize("every", [1, UNSAMPLED])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_gradient_that_is_not_finite_makes_the_total_so(
    sent: Sent, bad: float, every: int
) -> None:
    """Also where the total is that of a sample, whose other norms are finite."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with watched(model, optimizer, every):
        (model[0].weight * 3 + model[1].weight * bad).sum().backward()
        optimizer.step()
    (told,) = sent.steps
    assert (told.flags, math.isfinite(told.norm)) == (NONFINITE, False)


@pytest.mark.parametrize("clips", [False, True])
def test_sampled_steps_have_the_same_norm_as_others(sent: Sent, clips: bool) -> None:
    """What was clipped has the norm from before, in both."""
    model, optimizer = make()
    with watched(model, optimizer, every=2):
        for size in (1.0, 2.0, 3.0, 4.0):
            (model.weight.sum() * (size / 2)).backward()
            if clips:
                clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()
    assert [each.norm for each in sent.steps] == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert {each.flags for each in sent.steps} == {BEFORE_CLIPPING if clips else 0}
    assert sent.sampled == [2, 4]


@pytest.mark.parametrize("every", [1, UNSAMPLED])
def test_what_is_clipped_in_part_is_looked_at_in_part(sent: Sent, every: int) -> None:
    """Together they are the norm of all; a sample has all of them by itself."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with watched(model, optimizer, every):
        (model[0].weight * 3 + model[1].weight * 4).sum().backward()
        clip_grad_norm_(model[0].parameters(), 10.0)
        optimizer.step()
    assert [each.norm for each in sent.steps] == pytest.approx([5.0])


def generator_and_critic() -> tuple[nn.Sequential, list[torch.optim.Optimizer]]:
    """Two layers with an optimizer each."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    return model, [torch.optim.SGD(each.parameters(), lr=0.0) for each in model]


@pytest.mark.parametrize("every", [1, UNSAMPLED])
def test_of_several_optimizers_those_count_that_make_a_step(sent: Sent, every: int) -> None:
    """What is left in the gradients of the others is not applied."""
    model, optimizers = generator_and_critic()
    with watched(model, optimizers, every):
        for number in range(1, 5):
            (model[0].weight * 3 + model[1].weight * 4).sum().backward()
            optimizers[0].step()
            if number % 2 == 0:
                optimizers[1].step()
            model.zero_grad()
    assert [(each.step, each.norm) for each in sent.steps] == [
        (1, pytest.approx(3.0)),
        (2, pytest.approx(5.0)),
        (3, pytest.approx(3.0)),
        (4, pytest.approx(5.0)),
    ]


def test_a_clip_of_all_counts_once(sent: Sent) -> None:
    """Though several optimizers apply what it clipped."""
    model, optimizers = generator_and_critic()
    with watched(model, optimizers):
        (model[0].weight * 3 + model[1].weight * 4).sum().backward()
        clip_grad_norm_(model.parameters(), 10.0)
        for optimizer in optimizers:
            optimizer.step()
    assert [each.norm for each in sent.steps] == pytest.approx([5.0])


@pytest.mark.parametrize("every", [1, UNSAMPLED])
def test_a_run_without_an_optimizer_has_the_norm_of_all(sent: Sent, every: int) -> None:
    """When it says that a step is over."""
    model, _ = make()
    with watched(model, None, every) as run:
        (model.weight.sum() * 2).backward()
        run.step()
    assert [each.norm for each in sent.steps] == pytest.approx([4.0])


def test_a_step_without_gradients_is_not_told(sent: Sent) -> None:
    """There was nothing to look at, sampled or not."""
    model, optimizer = make()
    with watched(model, optimizer, every=2):
        for _ in range(4):
            optimizer.step()
    assert sent.steps == []


@pytest.mark.parametrize("every", [1, UNSAMPLED])
def test_the_scale_is_taken_out_where_a_fused_optimizer_does_it(sent: Sent, every: int) -> None:
    """And a step that it skips is told as skipped."""
    model = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with watched(model, optimizer, every):
        for size in (1.0, math.inf, 3.0):
            scaler.scale(model.weight.sum() * (size / 2)).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    first, second, third = sent.steps
    assert (first.norm, third.norm) == (pytest.approx(1.0), pytest.approx(3.0))
    assert (first.flags, second.flags, third.flags) == (0, NONFINITE | SKIPPED, 0)


def test_it_looks_as_often_as_it_may_cost(sent: Sent) -> None:
    """A budget of next to nothing is used up by the looks behind the first, which are free."""
    model, optimizer = make()
    with watched(model, optimizer, totals=None, budget=1e-12):
        for _ in range(FREE * 4):
            step(model, optimizer, 1.0)
    looked_at = [each.step for each in sent.steps]
    assert looked_at == list(range(1, len(looked_at) + 1))
    assert 1 <= len(looked_at) <= FREE + 1


@pytest.mark.parametrize("options", [{"totals": False}, {"server": False}])
def test_nobody_looks_where_nobody_is_told(sent: Sent, options: dict[str, Any]) -> None:
    """And nothing stands around torch's functions."""
    own = torch.nn.utils.clip_grad._get_total_norm
    model, optimizer = make()
    with watched(model, optimizer, every=1, **options):
        assert torch.nn.utils.clip_grad._get_total_norm is own
        step(model, optimizer, 1.0)
    assert sent.totals == []


def test_a_look_that_fails_is_the_last_one(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted once, and the job goes on."""

    def fail(*_: object) -> list[Tensor]:
        raise RuntimeError("no norm of these")

    monkeypatch.delenv("GRADGATE_STRICT")
    monkeypatch.setattr(TotalLooks, "_of", fail)
    model, optimizer = make()
    with watched(model, optimizer) as run:
        for _ in range(3):
            step(model, optimizer, 1.0)
        assert job_of(run).guard.faults == 1
        assert job_of(run).state.step == 3
    assert sent.totals == []
    assert "no norm of these" in caplog.text


def test_steps_are_sent_together(sent: Sent) -> None:
    """Up to a bound, and as many digits as a float32 has."""
    model, optimizer = make()
    with watched(model, optimizer):
        for _ in range(MOST_STEPS + 1):
            step(model, optimizer, 1 / 3)
    assert max(len(totals.steps) for totals in sent.totals) <= MOST_STEPS
    assert len(sent.steps) == MOST_STEPS + 1
    message = sent.totals[0].as_message(7)
    assert (message["type"], message["seq"], message["steps"][0]) == ("totals", 7, 1)
    assert message["norms"][0] == pytest.approx(0.3333333, abs=1e-7)


def test_what_is_on_the_host_is_due_half_a_second_after_the_first(sent: Sent) -> None:
    """Where there is nothing, never."""
    model, optimizer = make()
    with watched(model, optimizer) as run:
        totals = job_of(run).totals
        assert totals.due_at == math.inf
        began = time.monotonic()
        step(model, optimizer, 1.0)
        assert began + LONGEST <= totals.due_at <= time.monotonic() + LONGEST
        run.flush()
        assert totals.due_at == math.inf


def test_a_model_that_grows_is_looked_at_whole(sent: Sent) -> None:
    """The norm has the new parameters, too."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with watched(model, optimizer):
        model[0].weight.sum().mul(3).backward()
        optimizer.step()
        optimizer.zero_grad()
        model.append(nn.Linear(1, 1, bias=False))
        optimizer.add_param_group({"params": list(model[1].parameters())})
        (model[0].weight * 3 + model[1].weight * 4).sum().backward()
        optimizer.step()
    assert [each.norm for each in sent.steps] == pytest.approx([3.0, 5.0])


def test_a_step_whose_sample_is_lost_is_not_told_and_holds_up_no_other(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a sample cannot be read back."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    complete = pending_sample._complete

    def lose(pending: Any) -> Sample:
        if pending.step == 3:
            raise RuntimeError("no readback")
        return complete(pending)

    monkeypatch.setattr(pending_sample, "_complete", lose)
    model, optimizer = make()
    with watched(model, optimizer, every=1) as run:
        for size in range(1, 6):
            step(model, optimizer, float(size))
        assert 3 not in [each.step for each in job_of(run).totals.pending]
    assert [each.step for each in sent.steps] == [1, 2, 4, 5]


def test_a_norm_is_that_of_what_was_applied_in_its_step(sent: Sent) -> None:
    """At every=1 it is taken later, when the optimizer may have been given more."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.0)
    with watched(model, optimizer, every=1):
        for number in range(1, 9):
            if number == 6:
                optimizer.add_param_group({"params": [*model[1].parameters()]})
            if number == 8:
                optimizer.param_groups[1]["params"].clear()
            model.zero_grad()
            (model[0].weight * 3 + model[1].weight * 4).sum().backward()
            optimizer.step()
    assert [each.norm for each in sent.steps] == [3, 3, 3, 3, 3, 5, 5, 3]


@pytest.mark.parametrize("every", [1, UNSAMPLED])
@pytest.mark.parametrize("apart", [False, True])
def test_a_clip_behind_the_step_of_another_optimizer_counts(
    sent: Sent, every: int, apart: bool
) -> None:
    """Where that holds nothing of the models, as a weight of the loss; else the sample has all."""
    model, optimizer = make()
    other = nn.Parameter(torch.ones(1))
    both = nn.ModuleDict({"model": model, "rest": nn.ParameterList([] if apart else [other])})
    first = torch.optim.SGD([other], lr=0.0)
    with watched(both, [first, optimizer], every):
        for _ in range(3):
            (model.weight.sum() * other).sum().backward()
            other.grad = torch.zeros(1) + 1e-3
            first.step()
            clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            both.zero_grad()
    clipped = apart or every == UNSAMPLED
    assert [each.norm for each in sent.steps] == pytest.approx([2.0 if clipped else 0.5] * 3, 1e-3)
    assert {each.flags for each in sent.steps} == {BEFORE_CLIPPING if clipped else 0}


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("few", [totals.FEW_TOGETHER, 1000])
def test_norms_of_samples_gather_where_all_steps_are_sampled(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, every: int, few: int
) -> None:
    """So many, and no more, which are fewer where boundaries do all their work, as the first do.

    Where not all are sampled, one out of line has the next step sampled.
    """
    monkeypatch.setattr(totals, "LONGEST", 60.0)
    monkeypatch.setattr(totals, "FEW_TOGETHER", few)
    model, optimizer = make()
    pending = []
    with watched(model, optimizer, every) as run:
        for _ in range(totals.MOST_TOGETHER + 12):
            step(model, optimizer, 1.0)
            pending.append(len(job_of(run).totals.pending))
    if every == 2:
        assert max(pending) == 0
    elif few == 1000:
        assert max(pending) == totals.MOST_TOGETHER - 1
    else:
        assert max(pending[:SETTLED]) == totals.FEW_TOGETHER - 1
        assert max(pending) < totals.MOST_TOGETHER
    assert [each.step for each in sent.steps] == list(range(1, totals.MOST_TOGETHER + 13))


@pytest.mark.parametrize("early", [0.0, 60.0])
def test_what_gathers_is_sent_by_a_boundary_that_is_early_for_it(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, early: float
) -> None:
    """So that none has to do all its work for that alone."""
    monkeypatch.setattr(totals, "LONGEST", 60.0)
    monkeypatch.setattr(totals, "EARLY", early)
    model, optimizer = make()
    with watched(model, optimizer, 1):
        for _ in range(totals.FEW_TOGETHER):
            step(model, optimizer, 1.0)
        assert bool(sent.steps) is (early > 0)
    assert len(sent.steps) == totals.FEW_TOGETHER
