"""What is looked at closely, when, and that nothing is while nobody looks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.counting_pace import FIRST, CountingPace
from gradgate.probe.measure.focus import INTERVAL, MOST, SECONDS, Focus
from gradgate.probe.measure.pace import Pace
from gradgate.probe.measure.write_tracker import WriteTracker
from gradgate.probe.model.distribution import Distributions
from gradgate.probe.model.table import ParameterTable


class Job:
    """A model of a few parameters, whose steps are looked at at a time of our own."""

    def __init__(self, *parameters: nn.Parameter, budget: float = 1e9) -> None:
        model = nn.Module()
        for number, parameter in enumerate(parameters):
            model.register_parameter(f"p{number}", parameter)
        self.parameters = parameters
        self.table = ParameterTable({"": model})
        self.now = 100.0
        self.writes = WriteTracker(self.table.parameters)
        self.pace = Pace(None, budget)
        self.focus = Focus(self.table, self.writes, self.pace, Guard(), clock=lambda: self.now)
        self.steps = 0

    def step(
        self, held: Sequence[int] | None = None, *, scale: Tensor | None = None, seconds: float = 1
    ) -> Distributions | None:
        """Make one step, so much later than the one before; ``held``: by its optimizer."""
        self.now += seconds
        self.steps += 1
        self.focus.begin()
        if self.focus.looking:
            self.focus.measure(range(len(self.table)) if held is None else held, scale)
        self.focus.finish(self.steps)
        return self.focus.collect(self.steps)


def parameter(grad: Tensor | None, shape: tuple[int, ...] = (2, 2)) -> nn.Parameter:
    made = nn.Parameter(torch.ones(shape))
    made.grad = grad
    return made


def test_nothing_is_looked_at_while_nobody_looks() -> None:
    """Before, after the lease, and after it was said that nobody looks any more."""
    job = Job(parameter(torch.ones(2, 2)))
    assert job.step() is None
    job.focus.watch([0], 3)
    assert job.step() is not None
    assert job.step(seconds=5) is None
    job.focus.watch([0], 30)
    assert job.step() is not None
    job.focus.watch([], 30)
    assert job.step() is None


def test_what_is_looked_at_has_its_gradient_and_weight() -> None:
    """Of the step, and nothing of the other parameters."""
    job = Job(parameter(torch.ones(2, 2)), parameter(torch.tensor([[0.0, -4.0], [1.0, torch.nan]])))
    job.focus.watch([1], 30)
    seen = job.step()
    assert seen is not None
    (found,) = seen.parameters
    assert (seen.step, found.parameter) == (1, 1)
    gradient, weight = found.gradient, found.weight
    assert gradient is not None
    assert weight is not None
    assert (gradient.numel, gradient.zeros, gradient.nan, gradient.first) == (4, 1, 1, 0)
    assert (gradient.positive, gradient.negative) == ([1, 0, 0], [0, 0, 1])
    assert (weight.positive, weight.first) == ([4], 0)


def test_whoever_begins_to_look_is_waited_for_until_a_look_begins() -> None:
    """So that a sample can be taken for it; to say again what is looked at begins nothing."""
    job = Job(parameter(None), parameter(None))
    waits = [job.focus.waits]
    for watched in ([0], [0], [0, 1], [0]):
        job.focus.watch(watched, 30)
        job.now += 1
        waits += [job.focus.waits, job.focus.waits]
        job.step()
        job.now += 1
        waits.append(job.focus.waits)
    assert waits == [False, *[True, True, False], *[False] * 3, *[True, True, False], *[False] * 3]


def test_nobody_is_waited_for_who_looks_no_more() -> None:
    """A sample out of turn would be for nothing."""
    job = Job(parameter(None))
    job.focus.watch([0], 3)
    assert job.focus.waits
    job.now += 5
    assert not job.focus.waits


def test_whoever_begins_to_look_is_waited_for_as_soon_as_a_look_is_affordable() -> None:
    """A sample before that would show nothing, and the next may be long in coming."""
    job = Job(parameter(torch.ones(2, 2)), parameter(torch.ones(2, 2)), budget=1e-9)
    job.focus.watch([0], 1e20)
    assert job.step() is not None
    job.focus.watch([1], 1e20)
    assert not job.focus.waits
    job.now += 1e12
    assert job.focus.waits


def test_looks_are_no_closer_together_than_anybody_sees() -> None:
    """However fast the steps are."""
    job = Job(parameter(torch.ones(2, 2)))
    job.focus.watch([0], 300)
    looks = [job.step(seconds=INTERVAL / 4) is not None for _ in range(9)]
    assert looks == [True, False, False, False, True, False, False, False, True]


def test_a_look_that_was_dear_is_paid_off_before_the_next() -> None:
    """By the share of the budget."""
    job = Job(parameter(torch.ones(2, 2)), budget=1e-9)
    job.focus.watch([0], 300)
    assert [job.step() is not None for _ in range(3)] == [True, False, False]


def test_a_gradient_that_no_optimizer_applies_is_looked_at_when_the_step_ends() -> None:
    """Once: what an optimizer was about to apply is not looked at again."""
    kept = parameter(torch.full((2, 2), 8.0))
    job = Job(kept, parameter(torch.ones(2, 2)))
    job.focus.watch([0, 1], 30)
    job.now += 1
    job.focus.begin()
    job.focus.measure({0})
    kept.grad = torch.zeros(2, 2)
    job.focus.finish(1)
    seen = job.focus.collect(1)
    assert seen is not None
    first, second = (each.gradient for each in seen.parameters)
    assert first is not None
    assert second is not None
    assert (first.first, first.zeros) == (3, 0)
    assert second.positive == [4]


def test_a_gradient_that_comes_early_is_taken_as_it_comes() -> None:
    """It may be gone when the step ends."""
    job = Job(parameter(None))
    job.focus.watch([0], 30)
    job.now += 1
    job.focus.begin()
    job.focus.take_gradient(0, torch.ones(2, 2))
    job.focus.finish(1, early={0})
    seen = job.focus.collect(1)
    assert seen is not None
    assert seen.parameters[0].gradient is not None


def test_the_factor_of_a_scaler_is_taken_out() -> None:
    """As it is out of the norms."""
    job = Job(parameter(torch.full((2, 2), 1024.0)))
    job.focus.watch([0], 30)
    seen = job.step(scale=torch.tensor([1024.0]))
    assert seen is not None
    gradient = seen.parameters[0].gradient
    assert gradient is not None
    assert (gradient.first, gradient.positive) == (0, [4])


@pytest.mark.parametrize(
    ("dtype", "scaled", "factor", "octave"),
    [
        (torch.float16, 2.0**-12, 2.0**16, -28),
        (torch.bfloat16, 1.0, 1.001, -1),
    ],
    ids=str,
)
def test_a_gradient_of_sixteen_bits_is_divided_in_more(
    dtype: torch.dtype, scaled: float, factor: float, octave: int
) -> None:
    """As the optimizer does: in its own it would become zero, or be rounded up to an octave."""
    held = nn.Parameter(torch.ones(2, 2, dtype=dtype))
    held.grad = torch.full((2, 2), scaled, dtype=dtype)
    job = Job(held)
    job.focus.watch([0], 30)
    seen = job.step(scale=torch.tensor(factor))
    assert seen is not None
    gradient = seen.parameters[0].gradient
    assert gradient is not None
    assert gradient.rows is not None
    assert (gradient.zeros, gradient.first, gradient.positive) == (0, octave, [4])
    assert gradient.rows.norms == pytest.approx([scaled / factor * 2**0.5] * 2, rel=1e-6)


def test_a_gradient_of_an_earlier_step_is_told_as_that() -> None:
    """Whether the optimizer applies it again or not; one that a backward wrote is no such."""
    held, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    job = Job(held, other)
    (held + other).sum().backward()
    job.focus.watch([0, 1], 30)
    fresh = job.step([0])
    job.writes.retire([0, 1], mark=True)
    held.sum().backward()
    seen = job.step([0])
    job.writes.retire([0, 1], mark=True)
    old = job.step([0])
    assert fresh is not None
    assert seen is not None
    assert old is not None
    assert [each.stale for each in (*fresh.parameters, *seen.parameters)] == [False] * 3 + [True]
    assert [each.stale for each in old.parameters] == [True, True]


def test_a_gradient_that_the_script_wrote_itself_is_new_unless_it_is_zeros() -> None:
    """As a sample has it."""
    held, other = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    job = Job(held, other)
    (held + other).sum().backward()
    job.writes.retire([0, 1], mark=True)
    assert held.grad is not None
    assert other.grad is not None
    held.grad.fill_(3.0)
    other.grad.zero_()
    job.focus.watch([0, 1], 30)
    seen = job.step()
    assert seen is not None
    assert [each.stale for each in seen.parameters] == [False, True]


def test_a_parameter_that_is_too_large_for_one_step_is_sampled() -> None:
    """The others come in the looks that follow, each in its turn, the one that waited longest."""
    size = 2 * CountingPace().numbers(torch.device("cpu"), SECONDS / 2)
    large = [parameter(torch.ones(size // 64, 64), (size // 64, 64)) for _ in range(2)]
    job = Job(large[0], parameter(torch.ones(2, 2)), large[1])
    job.focus.watch([0, 1, 2], 300)
    first = job.step()
    assert first is not None
    (found,) = first.parameters
    gradient = found.gradient
    assert gradient is not None
    assert (found.parameter, gradient.sample_of, gradient.rows) == (0, size, None)
    assert gradient.numel == sum(gradient.positive) <= size // 2
    later = [job.step() for _ in range(2)]
    assert [each.parameter for look in later if look for each in look.parameters][:2] == [1, 2]


def test_a_long_step_has_room_for_a_longer_look() -> None:
    """So that a job of long steps sees all numbers of a large parameter."""
    size = 2 * CountingPace().numbers(torch.device("cpu"), SECONDS / 2)
    job = Job(parameter(torch.ones(size // 64, 64), (size // 64, 64)))
    for step in range(2):
        job.pace.record(step, 1000 * size * FIRST, 0.0, sampled=False)
    job.focus.watch([0], 300)
    seen = job.step()
    assert seen is not None
    gradient = seen.parameters[0].gradient
    assert gradient is not None
    assert (gradient.numel, gradient.sample_of) == (size, None)


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.int32, torch.uint8, torch.bool, torch.float8_e5m2]
)
def test_a_weight_of_any_type_is_looked_at(dtype: torch.dtype) -> None:
    """Frozen weights are also integers; nothing fails inside."""
    held = nn.Parameter(torch.tensor([[0, 1], [1, 1]]).to(dtype), requires_grad=False)
    job = Job(held)
    job.focus.watch([0], 30)
    seen = job.step()
    assert seen is not None
    weight = seen.parameters[0].weight
    assert weight is not None
    assert (weight.zeros, weight.positive) == (1, [3])


def test_a_part_of_a_look_that_fails_has_taken_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor that cannot be counted must not come again and again for nothing."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("gradgate.probe.measure.focus.PendingDistribution", fail)
    job = Job(parameter(torch.ones(2, 2)), budget=1e-9)
    job.focus.watch([0], 300)
    assert [job.step() is not None for _ in range(3)] == [True, False, False]
    assert job.focus.take_seconds() > 0


def test_a_parameter_that_nobody_knows_is_left_out() -> None:
    """The server refuses a frame that speaks of one, and the job would be shut out."""
    job = Job(parameter(None))
    job.focus.watch([7, 0], 30)
    seen = job.step()
    assert seen is not None
    assert [each.parameter for each in seen.parameters] == [0]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_what_is_not_there_is_told_as_missing(index: int) -> None:
    """No gradient, a frozen parameter, and one on the meta device."""
    frozen = parameter(None)
    frozen.requires_grad_(False)
    job = Job(parameter(None), frozen, nn.Parameter(torch.empty(2, device="meta")))
    job.focus.watch([index], 30)
    seen = job.step()
    assert seen is not None
    assert seen.parameters[0].gradient is None
    assert (seen.parameters[0].weight is None) == (index > 1)


def test_a_sparse_gradient_counts_whole() -> None:
    """Rows that it leaves out are zeros, and duplicates are added up before."""
    embedding = nn.Embedding(10, 2, sparse=True)
    embedding(torch.tensor([3, 3, 5])).sum().backward()
    job = Job(embedding.weight)
    job.focus.watch([0], 30)
    seen = job.step()
    assert seen is not None
    gradient = seen.parameters[0].gradient
    assert gradient is not None
    assert (gradient.numel, gradient.zeros, gradient.positive) == (20, 16, [2, 2])
    assert gradient.rows is None


class Part(Tensor):
    """A gradient of which this process has the first row, as a DTensor is."""

    def to_local(self) -> Tensor:
        return self.as_subclass(Tensor)[:1]


def test_of_a_sharded_gradient_the_own_part_counts() -> None:
    """Its rows are not those of the parameter."""
    held = parameter(None)
    held.grad = torch.ones(2, 2).as_subclass(Part)
    job = Job(held)
    job.focus.watch([0], 30)
    seen = job.step()
    assert seen is not None
    gradient = seen.parameters[0].gradient
    assert gradient is not None
    assert (gradient.numel, gradient.positive, gradient.rows) == (2, [2], None)


def test_no_more_than_the_bound_is_looked_at() -> None:
    """Whatever a server asks for."""
    job = Job(*(parameter(torch.ones(2, 2)) for _ in range(MOST + 3)))
    job.focus.watch(range(MOST + 3), 30)
    seen = job.step()
    assert seen is not None
    assert [each.parameter for each in seen.parameters] == list(range(MOST))
