"""What wrote to a gradient after its backward, and what it left."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard

from gradgate.probe.diagnosis.gradient_faults import is_nonfinite, is_zero
from gradgate.probe.diagnosis.gradient_log import GradientLog, Overwriting
from tests.support.tracing import Recorded, chain

LINE = chain("train.py:7")


@pytest.fixture
def weight() -> nn.Parameter:
    return nn.Parameter(torch.ones(2, 2))


def backward(log: GradientLog, weight: nn.Parameter, size: float = 1.0) -> None:
    """Make a backward that brings gradients of this size."""
    (weight * size).sum().backward()
    log.add_backward([weight], LINE)


def zeros(log: GradientLog, weight: nn.Parameter) -> Overwriting | None:
    return log.overwriting(id(weight), is_zero, stays=False)


WAYS: dict[str, Callable[[Tensor], object]] = {
    "itself": lambda grad: grad.zero_(),
    "data": lambda grad: grad.data.zero_(),
    "detached": lambda grad: grad.detach().copy_(torch.zeros(2, 2)),
    "reshaped": lambda grad: grad.view(-1).mul_(0),
    "elements": lambda grad: grad.__setitem__(slice(None), 0),
    "new data": lambda grad: setattr(grad, "data", torch.zeros(2, 2)),
    "out": lambda grad: torch.mul(grad, 0, out=grad),
    "foreach": lambda grad: torch._foreach_zero_([grad]),
    "operator": lambda grad: torch.ops.aten.mul_.Scalar(grad, 0.0),
    "array": lambda grad: grad.numpy().fill(0),
    "memory": lambda grad: grad.untyped_storage().fill_(0),
}


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_every_way_to_write_is_seen_with_its_line(
    weight: nn.Parameter, write: Callable[[Tensor], object]
) -> None:
    """By the memory that it goes to: counts of writes and views differ."""

    def step() -> None:
        weight.sum().backward()
        assert weight.grad is not None
        write(weight.grad)

    model = nn.Module()
    model.weight = weight
    found = zeros(Recorded(step, model).tape.gradients, weight)
    assert found is not None
    assert found.useful.by_backward
    assert found.write is not None
    assert found.write.chain.has(write.__code__)


def test_a_call_may_write_to_thousands() -> None:
    """As many as a model has."""
    model = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(1100)])

    def step() -> None:
        torch.cat(list(model)).sum().backward()
        torch._foreach_zero_([weight.grad for weight in model if weight.grad is not None])

    log = Recorded(step, model).tape.gradients
    for weight in (model[0], model[1099]):
        found = zeros(log, weight)
        assert found is not None
        assert found.write is not None


@pytest.mark.usefixtures("alone")
def test_a_collective_writes_though_torch_does_not_count_it(weight: nn.Parameter) -> None:
    """Another rank's NaN comes by the line that called it."""
    model = nn.Module()
    model.weight = weight

    def step() -> None:
        weight.sum().backward()
        assert weight.grad is not None
        torch.distributed.all_reduce(weight.grad)

    log = Recorded(step, model).tape.gradients
    found = zeros(log, weight)  # as if they were zeros now
    assert found is not None
    assert found.write is not None
    assert found.write.by == "all_reduce"


def test_a_gradient_that_is_another_tensors_memory_is_followed(weight: nn.Parameter) -> None:
    """Gradients in one flat buffer are all written to with it, and only those that it reaches."""
    other = nn.Parameter(torch.ones(2, 2))
    flat = torch.ones(8)
    weight.grad, other.grad = flat[:4].view(2, 2), flat[4:].view(2, 2)
    log = GradientLog()
    log.begin([weight, other])
    for parameter in (weight, other):
        log.add_assignment(parameter, "grad =", LINE)
    flat[:4] = 0
    log.add_write([flat[:4]], "zero_", LINE)
    assert zeros(log, weight) is not None
    found = zeros(log, other)
    assert found is not None
    assert (found.useful.by, found.write) == ("grad =", None)
    flat[4:] = 0
    log.add_write([flat], "zero_", LINE)
    found = zeros(log, other)
    assert found is not None
    assert found.write is not None


def test_a_write_that_leaves_a_gradient_useful_is_no_verdict(weight: nn.Parameter) -> None:
    """The next that does not is named; what comes after that is not."""
    log = GradientLog()
    backward(log, weight)
    assert weight.grad is not None
    for by, factor in (("clip_grad_norm_", 0.1), ("mul_", 0.0), ("add_", 0.0)):
        weight.grad.mul_(factor)
        log.add_write([weight.grad], by, LINE)
    found = zeros(log, weight)
    assert found is not None
    assert (found.useful.by, found.write and found.write.by) == ("backward", "mul_")


def test_what_a_backward_left_bad_was_not_overwritten(weight: nn.Parameter) -> None:
    """Also where something was cleared before it; NaN that something wrote stays in the sum."""
    log = GradientLog()
    backward(log, weight)
    assert weight.grad is not None
    weight.grad.zero_()
    log.add_write([weight.grad], "zero_", LINE)
    backward(log, weight, 0.0)
    assert zeros(log, weight) is None
    assert log.backwards_of(id(weight), is_zero) == range(1, 2)
    backward(log, weight)
    weight.grad.mul_(math.nan)
    log.add_write([weight.grad], "mul_", LINE)
    backward(log, weight)
    found = log.overwriting(id(weight), is_nonfinite, stays=True)
    assert found is not None
    assert found.write is not None
    assert found.write.by == "mul_"


def test_what_finds_zeros_and_leaves_them_drops_nothing(weight: nn.Parameter) -> None:
    """A clip of a gradient that came as zeros is not where it began, nor is a backward after it."""
    log = GradientLog()
    backward(log, weight, 0.0)
    assert weight.grad is not None
    weight.grad.mul_(1.0)
    log.add_write([weight.grad], "clip_grad_norm_", LINE)
    backward(log, weight)
    assert log.backwards_of(id(weight), is_zero) == range(1)


def test_a_gradient_that_nobody_wrote_to_turned_bad_unseen(weight: nn.Parameter) -> None:
    """It is known to have been useful; who had its memory is named."""
    log = GradientLog()
    backward(log, weight)
    found = zeros(log, weight)
    assert found is not None
    assert (found.useful.by_backward, found.write) == (True, None)
    assert weight.grad is not None
    log.add_write([weight.grad], "numpy", LINE, given_out=True)
    found = zeros(log, weight)
    assert found is not None
    assert found.write is not None
    assert found.write.by == "numpy"


def test_a_gradient_that_was_used_may_be_cleared(weight: nn.Parameter) -> None:
    """The parameter has moved since; what was lost before that was lost all the same."""
    log = GradientLog()
    backward(log, weight)
    for _ in range(2):
        assert weight.grad is not None
        with torch.no_grad():
            weight.sub_(weight.grad)
        weight.grad.zero_()
        log.add_write([weight.grad], "zero_grad", LINE)
        assert log.was_applied(id(weight), is_zero)
        assert zeros(log, weight) is None
        backward(log, weight)
        assert not log.was_applied(id(weight), is_zero)


def test_a_gradient_is_unused_until_its_weight_is_written_to(weight: nn.Parameter) -> None:
    """What was written to the weight before the backward is no use of it."""
    log = GradientLog()
    with torch.no_grad():
        weight.mul_(0.5)
    assert not log.is_unused(weight)
    backward(log, weight)
    assert log.is_unused(weight)
    with torch.no_grad():
        weight.mul_(0.5)
    assert not log.is_unused(weight)


def test_a_gradient_is_known_as_one(weight: nn.Parameter) -> None:
    """Also by the memory that it shares."""
    log = GradientLog()
    backward(log, weight)
    assert weight.grad is not None
    assert log.has(weight.grad)
    assert log.has(weight.grad[0])
    assert not log.has(weight)
    assert not GradientLog().has(weight.grad)


def test_a_gradient_from_before_the_step_is_no_backwards(weight: nn.Parameter) -> None:
    """A backward that does not reach it leaves it as it was."""
    weight.grad = torch.ones(2, 2)
    log = GradientLog()
    log.begin([weight])
    log.add_backward([weight], LINE)
    assert zeros(log, weight) is None
    assert log.cleared(id(weight)) is None


def test_the_clearing_is_the_write_that_left_none(weight: nn.Parameter) -> None:
    """Whatever was written before it."""
    log = GradientLog()
    backward(log, weight)
    assert weight.grad is not None
    log.add_write([weight.grad], "mul_", LINE)
    weight.grad = None
    log.add_assignment(weight, "zero_grad", LINE)
    cleared = log.cleared(id(weight))
    assert cleared is not None
    assert cleared.by == "zero_grad"


def test_who_brought_nan_first_is_known(weight: nn.Parameter) -> None:
    """A backward, before the write that spread it."""
    sick = nn.Parameter(torch.ones(2))
    log = GradientLog()
    (sick * math.inf).sum().backward()
    weight.sum().backward()
    log.add_backward([sick, weight], LINE)
    assert sick.grad is not None
    assert weight.grad is not None
    weight.grad.mul_(math.nan)
    log.add_write([weight.grad, sick.grad], "clip_grad_norm_", LINE)
    found = log.overwriting(id(weight), is_nonfinite, stays=True)
    assert found is not None
    assert found.write is not None
    assert log.nonfinite_before(found.write) == [id(sick)]
    assert log.nonfinite_before(found.useful) == []


def test_nothing_is_held_after_the_step(weight: nn.Parameter) -> None:
    """Neither parameters nor gradients."""
    before = sys.getrefcount(weight)
    log = GradientLog()
    backward(log, weight)
    log.clear()
    assert zeros(log, weight) is None
    assert sys.getrefcount(weight) == before


def test_a_write_to_the_weight_that_is_not_counted_is_a_use(weight: nn.Parameter) -> None:
    """It is known by the memory that it goes to, as writes to gradients are."""
    log = GradientLog()
    log.begin([weight])
    backward(log, weight)
    assert weight.grad is not None
    memory = weight.data
    log.add_write([memory.sub_(weight.grad)], "sub_", LINE)
    assert not log.is_unused(weight)
    weight.grad.zero_()
    log.add_write([weight.grad], "zero_", LINE)
    assert log.was_applied(id(weight), is_zero)


@pytest.mark.usefixtures("rank_of_two")
@pytest.mark.parametrize(
    ("part", "arrived", "written", "told"),
    [
        (1.0, 1.0, math.nan, "grad ="),
        (1.0, math.inf, math.nan, "nothing"),  # which is in the part of the rank beside it
        (1.0, None, math.nan, "grad ="),  # nothing is known of what arrived
        (0.0, 1.0, math.nan, "grad ="),
        (1.0, 1.0, 2.0, "unseen"),
        (1.0, 1.0, 0.0, "grad ="),
        (0.0, 1.0, 0.0, "grad ="),  # the rank beside it has what arrived
        (0.0, 0.0, 0.0, "nothing"),
        (0.0, None, 0.0, "nothing"),
        (0.0, 1.0, None, "nothing"),  # the ranks may have added up to zeros
    ],
)
def test_of_a_gradient_in_parts_what_arrived_tells_more(
    part: float, arrived: float | None, written: float | None, told: str
) -> None:
    """This rank has some of its elements, and knows what it has given for all of them."""
    mesh = init_device_mesh("cpu", (2,))
    weight = nn.Parameter(DTensor.from_local(torch.ones(2), mesh, [Shard(0)]))
    log = GradientLog()
    log.begin([weight])
    weight.grad = DTensor.from_local(torch.full((2,), part), mesh, [Shard(0)])
    log.add_backward([weight], LINE)
    if written is not None:
        weight.grad = DTensor.from_local(torch.full((2,), written), mesh, [Shard(0)])
        log.add_assignment(weight, "grad =", LINE)
    log.read_sizes()
    asked: list[tuple[int, int]] = []
    log.complete(lambda *which: asked.append(which) or arrived)
    assert asked == [(id(weight), 0)]
    bad = is_zero if written in (None, 0.0) else is_nonfinite
    found = log.overwriting(id(weight), bad, stays=bad is is_nonfinite)
    by = "nothing" if found is None else "unseen" if found.write is None else found.write.by
    assert by == told


@pytest.mark.usefixtures("rank_of_two")
@pytest.mark.parametrize(
    ("writes", "whole"),
    [
        # Of each write its size in the part; of a backward also of what arrived.
        ([(1.0, 1.0)], 1.0),
        ([(0.0, 1.0)], 1.0),  # the rank beside it has what arrived
        ([(0.0, 0.0)], 0.0),
        ([(1.0, math.inf)], math.inf),
        ([(1.0, math.inf), (1.0, 1.0)], math.inf),
        ([(1.0, math.inf), None, (1.0, 1.0)], 1.0),  # dropped in between
        ([(1.0, 1.0), None, (0.0, 0.0)], 0.0),
        ([(1.0, math.inf), 1.0, (1.0, 1.0)], 1.0),  # mended in between
        ([(1.0, 1.0), 1.0, (0.0, 0.0)], 1.0),  # what is left of the first is not known
        ([(1.0, 1.0), 0.0], 0.0),
        ([(1.0, 1.0), 0.0, 0.0], 0.0),
        ([(0.0, 1.0), 0.0], 1.0),  # a clip may have found zeros in this part alone
        ([(1.0, math.inf), 1.0], 1.0),
        ([], 0.0),
    ],
)
def test_how_large_a_gradient_in_parts_is(
    writes: list[tuple[float, float] | float | None], whole: float
) -> None:
    """As far as this rank can tell; asked twice it says the same."""
    mesh = init_device_mesh("cpu", (2,))
    weight = nn.Parameter(DTensor.from_local(torch.ones(2), mesh, [Shard(0)]))
    log = GradientLog()
    log.begin([weight])
    part, brought = 0.0, []
    for write in writes:
        part = write[0] if isinstance(write, tuple) else write or 0.0
        weight.grad = None
        if write is not None:
            weight.grad = DTensor.from_local(torch.full((2,), part), mesh, [Shard(0)])
        if isinstance(write, tuple):
            brought.append(write[1])
            log.add_backward([weight], LINE)
        else:
            log.add_assignment(weight, "grad =", LINE)
    log.read_sizes()
    for _ in range(2):
        log.complete(lambda _, number: brought[number])
        assert log.size_of_whole(id(weight), part, lambda _, number: brought[number]) == whole
