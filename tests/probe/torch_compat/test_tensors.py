"""What a tensor is underneath."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.parameter import Parameter
from torch.utils._python_dispatch import TorchDispatchMode

from gradgate.probe.torch_compat import tensors
from tests.support.lacking import door_without


class Wrapping(Tensor):
    """A subclass whose values are in another tensor, as those of a DTensor are."""

    inner: Tensor

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner: Any, context: Any, size: Any, stride: Any) -> Any:
        return inner["inner"]


def test_views_know_their_base() -> None:
    """A tensor of its own has none."""
    base = torch.ones(4, requires_grad=True) * 2
    view = base[:2]
    assert tensors.base_of(view) is base
    assert tensors.is_view(view)
    assert tensors.base_of(base) is None
    assert not tensors.is_view(base)


def test_hooks_leave_a_trace() -> None:
    """Also where they were removed: the node may keep them."""
    tensor = torch.ones(2, requires_grad=True) * 2
    assert not tensors.may_have_hooks(tensor)
    tensor.register_hook(lambda grad: grad).remove()
    assert tensors.may_have_hooks(tensor)


def test_a_tensor_inside_a_transform_is_known() -> None:
    """It has no values of its own."""
    seen: list[bool] = []
    torch.func.vmap(lambda t: [seen.append(tensors.is_inside_transform(t)), t][1])(torch.ones(2, 2))
    assert seen == [True]
    assert not tensors.is_inside_transform(torch.ones(2))


@pytest.mark.parametrize("missing", [False, True])
def test_a_tensor_that_wraps_others_is_known(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter wraps none; where nobody knows, a subclass may."""
    name = "torch.utils._python_dispatch.is_traceable_wrapper_subclass"
    door: Any = door_without(monkeypatch, "tensors", name) if missing else tensors
    assert door.wraps_others(torch.ones(2).as_subclass(Wrapping))
    assert not door.wraps_others(torch.ones(2))
    assert not door.wraps_others(Parameter(torch.ones(2)))


def test_without_the_names_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates and explanations are refused then; what asks nevertheless is answered."""
    names = ("_is_view", "_backward_hooks")
    door = door_without(
        monkeypatch,
        "tensors",
        *(f"torch.Tensor.{name}" for name in names),
        "torch._C._functorch.is_functorch_wrapped_tensor",
    )
    view = torch.ones(4)[:2]
    assert not door.is_view(view)
    assert door.may_have_hooks(view)
    assert not door.is_inside_transform(view)


def test_values_are_in_the_innermost_tensors() -> None:
    """A tensor that wraps one that wraps another holds nothing itself."""
    plain = torch.ones(2)
    inner, outer = torch.ones(2).as_subclass(Wrapping), torch.ones(2).as_subclass(Wrapping)
    inner.inner, outer.inner = plain, inner
    assert [id(each) for each in tensors.inner_tensors(outer)] == [id(plain)]
    assert [id(each) for each in tensors.inner_tensors(plain)] == [id(plain)]


def test_hooks_on_a_leaf_are_found() -> None:
    """Those on its gradient, and those that run once it is in; each only while it is on."""
    weight = Parameter(torch.ones(1))
    assert tensors.hooks_on(weight) == []
    first = weight.register_hook(torch.zeros_like)
    weight.register_post_accumulate_grad_hook(print)
    assert tensors.hooks_on(weight) == [torch.zeros_like, print]
    assert [*tensors.own_hooks(weight).values()] == [torch.zeros_like]
    assert [*tensors.own_accumulation_hooks(weight).values()] == [print]
    first.remove()
    assert tensors.hooks_on(weight) == [print]


class Reads(TorchDispatchMode):
    """Counts how often a number is read from a device, each of which waits."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_many_tensors_are_found_zero_with_one_wait() -> None:
    """Whatever they are of; none is none."""
    sparse = torch.sparse_coo_tensor([[0]], [0.0], (3,), check_invariants=True)
    given = [torch.zeros(2), torch.tensor([0.0, -1e-30]), sparse, torch.full((1,), torch.nan)]
    with Reads() as reads:
        found = tensors.are_zero([*given, torch.zeros(2, dtype=torch.half)])
    assert found == [True, False, True, False, True]
    assert found[:4] == [tensors.is_zero(tensor) for tensor in given]
    assert reads.count == 0  # a list is read as one
    assert tensors.are_zero([]) == []


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
def test_memory_that_was_given_back_is_known() -> None:
    """What has no elements never had any, and what stands for others has none of its own."""
    tensor = torch.ones(4, 4)
    row = tensor[1]
    assert not tensors.is_freed(tensor)
    tensor.untyped_storage().resize_(0)
    assert tensors.is_freed(tensor)
    assert tensors.is_freed(row)
    for other in (torch.ones(0), torch.eye(2).to_sparse(), torch.eye(2).to_sparse_csr()):
        assert not tensors.is_freed(other)
    seen: list[bool] = []
    torch.func.vmap(lambda t: [seen.append(tensors.is_freed(t)), t][1])(torch.ones(2, 2))
    assert seen == [False]
