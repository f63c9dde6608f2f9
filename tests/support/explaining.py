"""Ranks that train a sharded model with a fault in it, and ask why parameters have no gradient.

Usage: python -m tests.support.explaining RANK SIZE FOLDER SCENARIO...
Each scenario notes, by parameter, the cause, its line and the detail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed._composable.replicate_with_fsdp import replicate
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FullyShardedDataParallel,
    MixedPrecisionPolicy,
    fully_shard,
)
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.utils import clip_grad_norm_

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.world import play

Between = Callable[[Tensor], Tensor]
"""What a forward makes of the first layer's output, for the second."""
WIDTH = 6


class Chain(nn.Module):
    """Three layers in a row, something between the first two, and one layer that is never run."""

    def __init__(self, between: Between) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.last, self.never = nn.Linear(WIDTH, 2), nn.Linear(WIDTH, 2)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.second(self.between(self.first(x)))))  # type: ignore[no-any-return]


class Idle(torch.optim.SGD):
    """Leaves the weights as they are, so that every step has the same fault."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """Do nothing."""


def unchanged(h: Tensor) -> Tensor:
    return h


def detached(h: Tensor) -> Tensor:
    return h.detach()  # <- detached


def switched_off(h: Tensor) -> Tensor:
    with torch.no_grad():  # <- switched_off
        return torch.relu(h)


def zeroed(h: Tensor) -> Tensor:
    return h * 0.0  # <- zeroed


def spoilt(h: Tensor) -> Tensor:
    return torch.log(torch.relu(h) * 0)  # <- spoilt


def spoilt_row(h: Tensor) -> Tensor:
    """Make NaN of the gradient of one row of the first layer, which the last rank has."""
    root = (h[:, -1:] * 0).sqrt()  # <- spoilt_row
    return torch.cat([h[:, :-1], root], 1)


def spoilt_elsewhere(h: Tensor) -> Tensor:
    return h * float("nan") if torch.distributed.get_rank() else h


def halved(h: Tensor) -> Tensor:
    return torch.cat([h[:, : WIDTH // 2], h[:, WIDTH // 2 :].detach()], 1)


def leave(model: nn.Module) -> None:
    pass


def clear(model: nn.Module) -> None:
    model.zero_grad()  # <- cleared


def begin_with_nan(model: Any) -> None:
    """Make a backward whose gradients are dropped."""
    (model(torch.ones(2, WIDTH)).float().sum() * float("nan")).backward()
    model.zero_grad()


def spoiling(grad: Tensor) -> Tensor:
    return grad * float("nan")


def hook_whole(model: Any) -> None:
    """Have the next forward put a hook on the weight that it works with."""

    def put(module: Any, _: object) -> None:
        module.weight.register_hook(spoiling)  # <- hooked
        handle.remove()

    handle = model.first.register_forward_pre_hook(put)


def empty(model: Any) -> None:
    model.first.weight.grad.zero_()  # <- emptied


def clip(model: nn.Module) -> None:
    clip_grad_norm_(model.parameters(), 1.0)  # <- clipped_as_well


def spoil_weights(model: Any) -> None:
    with torch.no_grad():
        model.second.weight.mul_(float("nan"))  # <- spoilt_weights


def spoil_one(model: Any) -> None:
    model.first.weight.grad.mul_(float("nan"))  # <- multiplied
    clip_grad_norm_(model.parameters(), 1.0)  # <- clipped


@dataclass(frozen=True)
class Fault:
    """What is wrong in a step."""

    between: Between = unchanged
    before: Callable[[Any], object] = leave
    """With the model, before its forward."""
    after: Callable[[Any], object] = leave
    """And behind its backward."""


FAULTS = {
    "none": Fault(),
    "detached": Fault(detached),
    "switched_off": Fault(switched_off),
    "zeroed": Fault(zeroed),
    "spoilt": Fault(spoilt),
    "spoilt_elsewhere": Fault(spoilt_elsewhere),
    "spoilt_row": Fault(spoilt_row),
    "spoilt_row_and_clipped": Fault(spoilt_row, after=clip),
    "spoilt_weights": Fault(before=spoil_weights),
    "stale": Fault(before=begin_with_nan),
    "hooked": Fault(before=hook_whole),
    "halved": Fault(halved),
    "cleared": Fault(after=clear),
    "emptied": Fault(after=empty),
    "spoilt_one": Fault(after=spoil_one),
    "kept_back": Fault(before=lambda model: model.set_requires_gradient_sync(False)),
}


def by_layers(model: Chain, **options: Any) -> nn.Module:
    """Shard each layer that is run, and the whole."""
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    for module in (model.first, model.second, model.last, model):
        fully_shard(module, mesh=mesh, **options)
    return model


def whole_copies(model: Chain) -> nn.Module:
    """Keep the whole model on each rank, by what shards others."""
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    return replicate(model, mesh=mesh)  # type: ignore[no-any-return]


def split(model: Chain) -> nn.Module:
    """Split layers among ranks, of whose outputs each rank has all."""
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    whole = ColwiseParallel(output_layouts=Replicate())
    plan = {"first": whole, "second": ColwiseParallel(), "last": RowwiseParallel()}
    return parallelize_module(model, mesh, plan)


def split_and_sharded(model: Chain) -> nn.Module:
    """Split two layers among ranks, and shard each part in a group of its own."""
    size = torch.distributed.get_world_size()
    mesh = init_device_mesh("cpu", (1, size), mesh_dim_names=("data", "tensor"))
    plan = {"second": ColwiseParallel(), "last": RowwiseParallel()}
    parallelize_module(model, mesh["tensor"], plan)
    return fully_shard(model, mesh=mesh["data"])


def flattened(model: Chain, originals: bool) -> nn.Module:
    """Make one flat parameter of each layer's, by FSDP1."""
    return FullyShardedDataParallel(
        model,
        use_orig_params=originals,
        auto_wrap_policy=ModuleWrapPolicy({nn.Linear}),
        device_id=torch.device("cpu"),
    )


KINDS: dict[str, Callable[[Chain], nn.Module]] = {
    "sharded": by_layers,
    "kept_whole_in_bfloat16": partial(
        by_layers,
        reshard_after_forward=False,
        mp_policy=MixedPrecisionPolicy(torch.bfloat16, torch.float32),
    ),
    "replicated": whole_copies,
    "split": split,
    "split_and_sharded": split_and_sharded,
    "originals": partial(flattened, originals=True),
    "flat": partial(flattened, originals=False),
}

Told = dict[str, tuple[str, str | None, str]]


def live(kind: str, fault: str, rank: int, size: int) -> Told:
    """Train a few steps, and ask in the second."""
    wrong = FAULTS[fault]
    model = KINDS[kind](Chain(wrong.between))
    optimizer = Idle(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(4):
            if step == 1 and rank == 0:
                run.explain("*")
            optimizer.zero_grad()
            wrong.before(model)
            model(torch.randn(4, WIDTH)).float().square().mean().backward()
            wrong.after(model)
            optimizer.step()
        latest = job_of(run).explainer.latest
    return {name: (each.cause, each.where, each.detail) for name, each in latest.items()}


def at_once(fault: str, rank: int, size: int) -> Told:
    """Ask before the first forward, on every rank, without a run."""
    wrong = FAULTS[fault]
    model = by_layers(Chain(wrong.between))
    x = torch.randn(4, WIDTH)

    def closure() -> None:
        wrong.before(model)
        model(x).square().mean().backward()
        wrong.after(model)

    found = probe.explain(model, closure)
    return {name: (each.cause, each.where, each.detail) for name, each in found.items()}


SCENARIOS = {
    **{f"{k}, {fault}": partial(live, k, fault) for k in KINDS for fault in FAULTS},
    **{f"at once, {fault}": partial(at_once, fault) for fault in FAULTS},
}

if __name__ == "__main__":
    play(SCENARIOS)
