"""What each tensor holds, from one write to the next."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from gradgate.probe.diagnosis.leaf_keys import LeafKeys
from gradgate.probe.diagnosis.tape import Tape
from gradgate.probe.diagnosis.tensor_values import TensorValues, version
from gradgate.probe.torch_compat.fsdp import ShardedGroups
from tests.support.tracing import Recorded, call


def leaf() -> Tensor:
    return torch.ones(2, requires_grad=True)


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def values(tape: Tape) -> TensorValues:
    return TensorValues(tape)


def test_a_tensor_holds_the_same_value_until_it_is_written_to(values: TensorValues) -> None:
    """By a function that was seen, or by one that was not."""
    tensor, use = torch.ones(2), call("use")
    first = values.of(tensor, use)
    assert values.of(tensor, use) is first
    tensor.add_(1)  # unseen
    second = values.of(tensor, use)
    assert second is not first
    assert second.plain == [first]
    values.write(tensor, call("mul_"))
    assert values.of(tensor, use).made_by is not None


@pytest.mark.usefixtures("alone")
def test_a_whole_parameter_is_another_once_its_part_was_written_to() -> None:
    """It is put together anew, of which nothing tells; what wrote to the part made it."""
    model = nn.Linear(2, 2)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    model(torch.ones(1, 2))
    groups = ShardedGroups({"": model})
    (whole, part), *_ = groups.wholes()
    values = TensorValues(Tape(LeafKeys([part], groups)))
    first = values.of(whole, call("use"))
    assert values.of(whole, call("use")) is first
    assert (first.is_parameter, first.leaf, first.source) == (True, id(part), id(part))
    written = call("mul_")
    values.of(part, written)
    with torch.no_grad():
        part.mul_(2)
    values.write(part, written)
    second = values.of(whole, call("use"))
    assert (second is not first, second.made_by, second.leaf) == (True, written, id(part))


def test_another_tensor_in_the_same_place_is_another(values: TensorValues) -> None:
    """``id`` is given out again when a tensor is gone."""
    use, before = call("use"), {}
    tensors = [torch.ones(1) for _ in range(50)]
    for tensor in tensors:
        before[id(tensor)] = values.of(tensor, use)
    del tensor, tensors
    again = [torch.ones(1) for _ in range(50)]
    same = [tensor for tensor in again if id(tensor) in before]
    assert same
    assert not any(values.of(tensor, use) is before[id(tensor)] for tensor in same)


def test_a_leaf_is_kept_and_its_values_are_in_order(tape: Tape, values: TensorValues) -> None:
    """Another tensor must not get its ``id``, however long the trace lasts."""
    x = leaf()
    key, kept = id(x), weakref.ref(x)
    first = values.of(x, call("use"))
    with torch.no_grad():
        x.add_(1)
    second = values.of(x, call("use"))
    assert tape.leaves == {key: [first, second]}
    assert tape.unregistered == {key: x}
    tape.unregistered.clear()
    del x
    gc.collect()
    assert kept() is not None


def test_what_is_written_into_a_base_is_in_its_views() -> None:
    """A view that was made before is known to have changed."""
    x, buffer = leaf(), torch.zeros(2)

    def step() -> None:
        part = buffer[0]
        buffer.copy_(x.detach())
        part.exp()

    recorded = Recorded(step)
    flow = recorded.dataflow
    assert flow.between(recorded.leaves(x), recorded.made_by("exp"))


def test_a_call_that_was_not_seen_is_put_before_its_use() -> None:
    """A custom function is known by its node, and by the name of its class."""

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> Tensor:
            return gradient[0] * 2

    x = leaf()
    recorded = Recorded(lambda: Double.apply(x).sum().backward())  # type: ignore[no-untyped-call]
    assert recorded.names == ["Double", "sum"]
    double = recorded.call("Double")
    assert double.custom
    assert double.index < recorded.call("sum").index
    assert recorded.made_by("Double").flows == recorded.leaves(x)


def test_a_custom_function_whose_result_is_marked_is_known_by_its_inside() -> None:
    """It has no node, so what was computed inside of it tells."""

    class Whole(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            made = x.round()
            ctx.mark_non_differentiable(made)
            return made

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> None:
            return None

    x = leaf()
    recorded = Recorded(lambda: Whole.apply(x.exp()).sum())  # type: ignore[no-untyped-call]
    whole = recorded.call("Whole")
    assert whole.custom
    (made,) = whole.outputs
    assert made.lost == [recorded.made_by("exp")]


def test_numbers_that_come_back_are_known_again() -> None:
    """As a tensor that no function was seen to make."""
    x = torch.tensor(0.123456789, requires_grad=True)

    def step() -> None:
        number = x.exp().item()
        torch.Tensor([number, 0.5]).sum()

    recorded = Recorded(step)
    assert recorded.tape.escapes
    assert recorded.dataflow.between(recorded.leaves(x), recorded.made_by("sum"))


def test_requires_grad_that_was_set_is_another_value() -> None:
    """Of the same numbers: what comes after is a leaf of its own."""
    x = leaf()

    def step() -> None:
        h = x.detach()
        h.requires_grad_()
        h.sum().backward()

    recorded = Recorded(step)
    (made,) = recorded.call("sum").outputs
    (start,) = made.flows
    assert start.leaf is not None
    assert start.plain == [recorded.call("detach").outputs[0]]
    assert not recorded.dataflow.reaches(recorded.leaves(x))


def test_a_value_knows_what_it_passes_its_gradient_to() -> None:
    """What was detached is lost, what never had a gradient is plain."""
    x, y, z = leaf(), leaf(), torch.ones(2)

    def step() -> None:
        torch.stack([x, z]).sum()
        with torch.no_grad():
            torch.add(x, y)

    recorded = Recorded(step)
    stacked, added = recorded.made_by("stack"), recorded.made_by("add")
    assert stacked.flows == recorded.leaves(x)
    assert [(v.carries, v.made_by) for v in stacked.plain] == [(False, None)]
    assert added.lost == [*recorded.leaves(x), *recorded.leaves(y)]
    assert not added.carries


def test_a_value_is_as_large_as_its_largest_number() -> None:
    """A view has none of its own."""
    x = torch.tensor([1.0, -3.0], requires_grad=True)
    recorded = Recorded(lambda: (x * 2)[0].exp())
    assert recorded.leaves(x)[0].size == 3
    assert recorded.made_by("mul").size == 6
    assert recorded.made_by("__getitem__").size is None


def test_parameters_are_told_from_loose_leaves() -> None:
    """Those that no model has are unregistered."""
    model, loose = nn.Linear(2, 2), leaf()
    recorded = Recorded(lambda: (model(torch.ones(2)) * loose).sum(), model)
    assert recorded.leaves(model.weight)[0].is_parameter
    assert list(recorded.tape.unregistered) == [id(loose)]


def test_what_was_seen_is_let_go_of_at_the_end(tape: Tape, values: TensorValues) -> None:
    """Only the tape stays: a tensor that comes again is met anew."""
    tensor = torch.ones(2)
    first = values.of(tensor, call("use"))
    values.clear()
    assert values.of(tensor, call("use")) is not first


def test_an_inference_tensor_counts_no_versions() -> None:
    """To ask it for one would be an error."""
    with torch.inference_mode():
        tensor = torch.ones(1)
        tensor.add_(1)
    assert version(tensor) == 0
    assert version(torch.ones(1).add_(1)) == 1


def test_a_view_of_several_things_has_a_size_of_its_own() -> None:
    """As has one from before, and a factor of a product; another is as large as its base."""
    x = torch.tensor([[0.0, 2.0], [0.0, 3.0]])
    before = x[:, 1:]

    def step() -> None:
        before.exp()
        x[:, :1].exp()
        x[:, :1] * x[:, 1:]

    tape = Recorded(step).tape
    views = [each.outputs[0] for each in tape.calls if each.name == "__getitem__"]
    assert [view.size for view in views] == [None, 0.0, 3.0]
    assert [each.size for each in tape.values if each.shape == (2, 1) and not each.made_by] == [3.0]
