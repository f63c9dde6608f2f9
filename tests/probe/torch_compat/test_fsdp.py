"""What ``fully_shard`` keeps of the parameters that it shards, in a job of one process."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FullyShardedDataParallel,
    MixedPrecisionPolicy,
    fully_shard,
)

from gradgate import probe
from gradgate.probe.torch_compat.fsdp import ShardedGroups, flattened, is_flat

pytestmark = pytest.mark.usefixtures("alone")


def sharded() -> nn.Sequential:
    """Two layers, each a group of its own, that compute in bfloat16."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    mesh = init_device_mesh("cpu", (1,))
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32)
    for module in (*model, model):
        fully_shard(module, mesh=mesh, mp_policy=policy)
    return model


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()


def test_what_was_frozen_at_the_first_forward_is_reduced_as_the_policy_says_once_it_is_thawed() -> (
    None
):
    """A group without anything trainable had fixed no dtype to reduce in."""
    model = sharded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("0")
        before = model[0].weight.full_tensor().clone()
        step(model, optimizer)
        assert torch.equal(model[0].weight.full_tensor(), before)
        run.thaw("0")
        step(model, optimizer)
        assert model[0].weight.grad is not None
        assert model[0].weight.grad.dtype == torch.float32
        assert not torch.equal(model[0].weight.full_tensor(), before)


def test_a_whole_parameter_that_is_kept_has_the_flag_of_its_shard() -> None:
    """A module that stays unsharded never gathers again, where it would be told."""
    model = sharded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step(model, optimizer)
    groups = ShardedGroups({"": model})
    shards = groups.parameters()
    assert len(shards) == len(groups.wholes()) == 4
    shards[0].requires_grad_(False)
    groups.follow_flags(shards[:1])
    assert [whole.requires_grad for whole, _ in groups.wholes()] == [
        shard.requires_grad for shard in shards
    ]


@pytest.mark.filterwarnings("ignore:FSDP is switching")
@pytest.mark.parametrize("originals", [True, False])
def test_the_modules_whose_parameters_a_flat_one_replaces_are_known(originals: bool) -> None:
    """Those that keep them in name; not that which has the flat one."""
    model = FullyShardedDataParallel(
        nn.Sequential(nn.Linear(2, 2)), use_orig_params=originals, device_id=torch.device("cpu")
    )
    assert (id(model.module) in flattened({"": model})) == originals
    assert flattened({"": nn.Sequential(nn.Linear(2, 2))}) == set()
    assert [is_flat(parameter) for parameter in model.parameters()] == (
        [False, False] if originals else [True]
    )


@pytest.mark.parametrize("watched", [False, True])
def test_hooks_that_step_inside_of_the_backward_train_as_they_do_without_a_run(
    watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FSDP2 goes through the hooks of a part to call each: none may come or go meanwhile."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")

    def train(watched: bool) -> list[torch.Tensor]:
        model = sharded()
        optimizers = {each: torch.optim.SGD([each], lr=0.1) for each in model.parameters()}

        def apply(parameter: torch.Tensor) -> None:
            optimizers[parameter].step()
            optimizers[parameter].zero_grad()

        for parameter in optimizers:
            parameter.register_post_accumulate_grad_hook(apply)
        with contextlib.ExitStack() as stack:
            if watched:
                optimizer = list(optimizers.values())
                stack.enter_context(probe.attach(model, optimizer, server=False, every=1))
            for _ in range(6):
                model(torch.ones(2, 4)).square().mean().backward()
        return [each.full_tensor() for each in model.parameters()]

    first, second = train(False), train(watched)
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], sharded()[0].weight.full_tensor())


def test_models_that_are_not_sharded_have_no_groups() -> None:
    """And nothing is missing there."""
    groups = ShardedGroups({"": nn.Linear(2, 2)})
    assert groups.parameters() == []
    assert groups.refusal() is None
