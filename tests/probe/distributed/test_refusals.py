"""What a DDP wrapper may have that its reducer cannot be rebuilt with, and what it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import (
    allreduce_hook,
    fp16_compress_hook,
    fp16_compress_wrapper,
)
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.base.errors import CommandError
from gradgate.probe.base.guard import Guard
from gradgate.probe.distributed.reducers import rebuild, refusal

pytestmark = pytest.mark.usefixtures("alone")


def wrap(**options: Any) -> DistributedDataParallel:
    return DistributedDataParallel(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), **options)


class Averaging:
    """A hook that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    # DDP reads annotations, which are texts here.
    def hook(self, state, bucket):  # noqa: ANN001, ANN201
        self.calls += 1
        return allreduce_hook(None, bucket)


def power_sgd(wrapper: DistributedDataParallel) -> None:
    wrapper.register_comm_hook(PowerSGDState(None, start_powerSGD_iter=2), powerSGD_hook)


def power_sgd_inside(wrapper: DistributedDataParallel) -> None:
    state = PowerSGDState(None, start_powerSGD_iter=2)
    wrapper.register_comm_hook(None, lambda _, bucket: powerSGD_hook(state, bucket))


def method(wrapper: DistributedDataParallel) -> None:
    wrapper.register_comm_hook(None, Averaging().hook)


@pytest.mark.parametrize(
    ("register", "name"),
    [
        (power_sgd, "powerSGD_hook"),
        (power_sgd_inside, "power_sgd_inside.<locals>.<lambda>"),
        (method, "Averaging.hook"),
    ],
)
def test_a_hook_with_state_is_refused(
    register: Callable[[DistributedDataParallel], None], name: str
) -> None:
    """A communication hook that may keep something about buckets is refused by its name."""
    wrapper = wrap()
    register(wrapper)
    reason = refusal(wrapper)
    assert reason is not None
    assert f"communication hook, {name}," in reason


@pytest.mark.parametrize("hook", [fp16_compress_hook, fp16_compress_wrapper(allreduce_hook)])
@pytest.mark.parametrize("state", [None, "group"])
def test_a_hook_without_state_is_taken_along(hook: Any, state: str | None) -> None:
    """A plain function and a wrapper around one are registered with the new reducer."""
    wrapper = wrap()
    wrapper.register_comm_hook(dist.group.WORLD if state else None, hook)
    rebuild(wrapper, Guard())
    rebuild(wrapper, Guard())
    assert [registered for registered, _ in wrapper._comm_hooks] == [hook]
    assert wrapper._get_ddp_logging_data()["comm_hook"] == hook.__qualname__


def test_a_builtin_hook_is_taken_along() -> None:
    """A hook in C++, which the wrapper does not remember, is registered anew."""
    kind = dist.BuiltinCommHookType.FP16_COMPRESS  # type: ignore[attr-defined]
    wrapper = wrap()
    wrapper._register_builtin_comm_hook(kind)
    rebuild(wrapper, Guard())
    assert wrapper._get_ddp_logging_data()["comm_hook"] == str(kind)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_an_optimizer_in_the_backward_is_refused() -> None:
    """Optimizers that step inside the backward have hooks that a rebuild would lose."""
    from torch.distributed.optim import _apply_optimizer_in_backward

    module = nn.Sequential(nn.Linear(2, 2))
    _apply_optimizer_in_backward(torch.optim.SGD, module.parameters(), {"lr": 0.1})
    wrapper = DistributedDataParallel(module)
    assert "optimizer in the backward" in (refusal(wrapper) or "")


def test_a_delayed_reduction_is_refused() -> None:
    """Parameters whose reduction is delayed are none of the reducer's."""
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    delayed = [("0.weight", module[0].weight)]
    wrapper = DistributedDataParallel(
        module, delay_all_reduce_named_params=delayed, param_to_hook_all_reduce=module[1].weight
    )
    assert "delays the reduction" in (refusal(wrapper) or "")


def test_mixed_precision_of_ddp_is_refused() -> None:
    """DDP's own mixed precision hooks every parameter when the wrapper is built."""
    from torch.nn.parallel.distributed import _MixedPrecision

    wrapper = wrap()
    wrapper.mixed_precision = _MixedPrecision()  # building it needs an accelerator
    assert "mixed precision" in (refusal(wrapper) or "")


def test_the_python_reducer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``optimize_ddp="python_reducer"`` the reduction is no reducer's work."""
    wrapper = wrap()
    monkeypatch.setattr(wrapper, "_use_python_reducer", True)
    assert "python_reducer" in (refusal(wrapper) or "")


def test_a_join_context_is_refused() -> None:
    """Ranks without data mirror the reduction of the others and see no boundary."""
    wrapper = wrap()
    with wrapper.join():
        assert "join()" in (refusal(wrapper) or "")


class Without:
    """Something that lacks a name which it would have."""

    def __init__(self, whole: object, name: str) -> None:
        self._whole = whole
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._whole, name)


def take_away(wrapper: DistributedDataParallel, name: str, patch: pytest.MonkeyPatch) -> None:
    """Let a wrapper be of a torch whose DDP has no such name."""
    owner, _, attribute = name.rpartition(".")
    if owner:
        wrapper.__dict__[owner] = Without(getattr(wrapper, owner), attribute)
    elif attribute in wrapper.__dict__:
        del wrapper.__dict__[attribute]
    else:
        patch.delattr(DistributedDataParallel, attribute)


@pytest.mark.parametrize(
    "name",
    [
        "_build_params_for_reducer",
        "_build_debug_param_to_name_mapping",
        "_ddp_init_helper",
        "_get_ddp_logging_data",
        "_register_builtin_comm_hook",
        "_comm_hooks",
        "_delay_all_reduce_params",
        "_join_config",
        "_join_config.enable",
        "mixed_precision",
        "static_graph",
        "reducer",
        "logger",
        "reducer._remove_autograd_hooks",
        "reducer._set_static_graph",
        "logger._set_static_graph",
    ],
)
def test_another_torch_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DDP without a private name that a rebuild needs is refused by it, and left as it is."""
    wrapper = wrap()
    reducer = wrapper.reducer
    take_away(wrapper, name, monkeypatch)
    with pytest.raises(CommandError, match=f"has no {name!r}"):
        rebuild(wrapper, Guard())
    if name != "reducer" and not name.startswith("reducer."):
        assert wrapper.reducer is reducer
    assert not wrapper._forward_pre_hooks


def test_a_freeze_of_another_torchs_model_is_refused() -> None:
    """The command is rejected with the name, and the parameter stays trainable."""
    wrapper = wrap()
    del wrapper.__dict__["_join_config"]
    optimizer = torch.optim.SGD(wrapper.parameters(), lr=0.1)
    with probe.attach(wrapper, optimizer, server=False) as run:
        with pytest.raises(CommandError, match="has no '_join_config'"):
            run.freeze("module.0")
        assert wrapper.module[0].weight.requires_grad


def test_a_backward_that_is_finalized_by_hand_is_refused() -> None:
    """An option of torch 2.15 that lies in the reducer, and that a new one would not have."""
    wrapper = wrap()
    wrapper.__dict__["_require_manual_backward_finalization"] = True
    assert "require_manual_backward_finalization" in (refusal(wrapper) or "")


def test_a_refused_wrapper_is_left_as_it_is() -> None:
    """A refused rebuild raises the reason, and the reducer is the same."""
    wrapper = wrap()
    power_sgd(wrapper)
    reducer = wrapper.reducer
    with pytest.raises(CommandError, match="powerSGD_hook"):
        rebuild(wrapper, Guard())
    assert wrapper.reducer is reducer


def test_nothing_trainable_needs_a_stand_in() -> None:
    """A reducer of nothing cannot be made, which is said before anything is changed."""
    wrapper = wrap()
    reducer = wrapper.reducer
    wrapper.requires_grad_(False)
    with pytest.raises(CommandError, match="needs at least one parameter"):
        rebuild(wrapper, Guard())
    assert wrapper.reducer is reducer


def test_the_buckets_shrink_by_what_was_frozen() -> None:
    """What is frozen is not communicated: the reducer holds the other parameters only."""
    wrapper = wrap()
    assert wrapper._get_ddp_logging_data()["total_parameter_size_bytes"] == 48
    wrapper.module[0].requires_grad_(False)
    rebuild(wrapper, Guard())
    assert wrapper._get_ddp_logging_data()["total_parameter_size_bytes"] == 24


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.filterwarnings("ignore:.*record function.*")
def test_a_compiled_model_hears_of_the_new_reducer(outside: bool) -> None:
    """Compiled around the wrapper or inside, each turn reduces what is trainable then."""
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    if outside:
        wrapper = DistributedDataParallel(module)
        called = torch.compile(wrapper, backend="eager")
    else:
        wrapper = DistributedDataParallel(torch.compile(module, backend="eager"))
        called = wrapper
    called(torch.ones(3, 2)).sum().backward()
    for turn in range(6):
        frozen = turn % 2 == 0
        module[0].requires_grad_(not frozen)
        wrapper.zero_grad()
        rebuild(wrapper, Guard())
        called(torch.ones(3, 2)).sum().backward()
        assert not wrapper._forward_pre_hooks, "the old reducer was retired"
        assert wrapper._get_ddp_logging_data()["num_parameter_tensors"] == 4 - 2 * frozen
        assert (module[0].weight.grad is None) == frozen
