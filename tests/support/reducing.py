"""Ranks that freeze and thaw a DDP model by hand, once with rebuilt reducers and once anew.

Usage: python -m tests.support.reducing RANK SIZE FOLDER SCENARIO...
The scenarios that train note the digest of all weights after every phase.
"""

from __future__ import annotations

import contextlib
import hashlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.distributed.reducers import distributed_refusal, gate_refusal, rebuild
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support.world import play


class Branching(nn.Module):
    """A trunk with statistics and two heads, of which a step may use one only."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 16)
        self.norm = nn.BatchNorm1d(16)
        self.second = nn.Linear(16, 16)
        self.left = nn.Linear(16, 3)
        self.right = nn.Linear(16, 3)

    def forward(self, x: Tensor, both: bool = True) -> dict[str, Tensor]:
        x = torch.relu(self.second(torch.relu(self.norm(self.first(x)))))
        return {"logits": self.left(x) + self.right(x) if both else self.left(x)}


class _Tie(torch.autograd.Function):
    @staticmethod
    def forward(stand_in: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        return None, grad


@dataclass
class Setting:
    """How the wrapper is built, and how the loop trains."""

    options: dict[str, Any] = field(default_factory=dict)
    register: Callable[[DistributedDataParallel], None] = lambda wrapper: None
    micro: int = 1
    """Backwards a step, all but the last under no_sync."""
    clip: bool = False
    amp: bool = False
    to_none: bool = True
    branching: bool = False


FROZEN = [["first"], [], ["second", "norm"], ["first", "norm", "second", "left", "right"], []]
"""The modules that are frozen in each phase; those of the first are so when DDP is built."""
STEPS = 3


class Loop:
    """A training loop whose phases freeze other modules, with the reducer rebuilt or made anew."""

    def __init__(self, setting: Setting, rank: int, *, anew: bool, renew: bool = True) -> None:
        torch.manual_seed(1)
        self._setting = setting
        self._anew, self._renews = anew, renew
        self._data = torch.Generator().manual_seed(100 + rank)
        self._steps = 0
        self.model = Branching()
        self._stand_in = nn.Parameter(torch.zeros(1))
        self._tied = False
        self.model.register_forward_hook(self._tie)
        self._flip(FROZEN[0])
        self.wrapper = self._wrap()
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self._scaler = torch.amp.GradScaler("cpu", enabled=setting.amp, init_scale=64.0)

    def digests(self) -> list[str]:
        found = []
        for number, frozen in enumerate(FROZEN):
            if number:
                self._flip(frozen)
                self._renew()
            for _ in range(STEPS):
                self._step()
            found.append(digest(self.model))
        return found

    def statistics(self) -> str:
        return hashlib.sha1(
            b"".join(buffer.numpy().tobytes() for buffer in self.model.buffers())
        ).hexdigest()

    def _wrap(self) -> DistributedDataParallel:
        wrapper = DistributedDataParallel(self.model, **self._setting.options)
        self._setting.register(wrapper)
        return wrapper

    def _tie(self, module: nn.Module, args: Any, output: dict[str, Tensor]) -> Any:
        if not self._tied:
            return None
        return {key: _Tie.apply(self._stand_in, value) for key, value in output.items()}

    def _flip(self, frozen: list[str]) -> None:
        for name, module in self.model.named_children():
            module.requires_grad_(name not in frozen)
            if name in frozen:
                for parameter in module.parameters():
                    parameter.grad = None

    def _renew(self) -> None:
        alive = any(parameter.requires_grad for parameter in self.model.parameters())
        self._tied = not alive
        if not self._anew:
            if self._renews:
                rebuild(self.wrapper, Guard(), self._stand_in)
        elif alive:
            del self.wrapper
            self.wrapper = self._wrap()

    def _step(self) -> None:
        setting = self._setting
        self._steps += 1
        self._optimizer.zero_grad(set_to_none=setting.to_none)
        both = not setting.branching or self._steps % 2 == 0
        # A hand-made loop has no wrapper for a model that is frozen whole.
        called = self.model if self._anew and self._tied else self.wrapper
        for micro in range(setting.micro):
            x, y = (torch.randn(8, n, generator=self._data) for n in (6, 3))
            last = micro == setting.micro - 1
            with contextlib.nullcontext() if last else self.wrapper.no_sync():
                with torch.autocast("cpu", torch.bfloat16, enabled=setting.amp):
                    loss = (called(x, both)["logits"] - y).square().mean()
                self._scaler.scale(loss).backward()
        trained = [p for p in self.model.parameters() if p.grad is not None]
        if setting.clip and trained:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(trained, 0.1)
        if trained or not setting.amp:  # a scaler cannot step without any gradient
            self._scaler.step(self._optimizer)
            self._scaler.update()


def digest(model: nn.Module) -> str:
    weights = b"".join(weight.detach().numpy().tobytes() for weight in model.parameters())
    return hashlib.sha1(weights).hexdigest()


def _register_builtin(wrapper: DistributedDataParallel) -> None:
    kind = torch.distributed.BuiltinCommHookType.FP16_COMPRESS  # type: ignore[attr-defined]
    wrapper._register_builtin_comm_hook(kind)


SETTINGS = {
    "plain": Setting(),
    "find_unused_parameters": Setting({"find_unused_parameters": True}, branching=True),
    "gradient_as_bucket_view": Setting({"gradient_as_bucket_view": True}),
    "bucket_view_zeroed": Setting({"gradient_as_bucket_view": True}, to_none=False),
    "bucket_view_unused": Setting(
        {"gradient_as_bucket_view": True, "find_unused_parameters": True},
        branching=True,
        to_none=False,
    ),
    "static_graph": Setting({"static_graph": True}),
    "static_graph_bucket_view": Setting({"static_graph": True, "gradient_as_bucket_view": True}),
    "no_sync": Setting(micro=3),
    "no_sync_unused": Setting({"find_unused_parameters": True}, micro=3, branching=True),
    "small_buckets": Setting({"bucket_cap_mb": 0.0005}),
    "zeroed_gradients": Setting(to_none=False),
    "clipped": Setting(clip=True),
    "amp": Setting(amp=True, clip=True),
    "python_hook": Setting(register=lambda w: w.register_comm_hook(None, fp16_compress_hook)),
    "builtin_hook": Setting(register=_register_builtin),
}


def compare(setting: Setting) -> Callable[[int, int], object]:
    def scenario(rank: int, size: int) -> object:
        loops = {"rebuilt": Loop(setting, rank, anew=False), "anew": Loop(setting, rank, anew=True)}
        return {
            name: {"weights": loop.digests(), "statistics": loop.statistics()}
            for name, loop in loops.items()
        }

    return scenario


def without(rank: int, size: int) -> object:
    """Thaw what was frozen when DDP was built, and rebuild nothing."""
    loop = Loop(Setting(), rank, anew=False, renew=False)
    try:
        loop.digests()
    except RuntimeError as error:
        return {"weights": digest(loop.model), "error": str(error)}
    return {"weights": digest(loop.model), "error": None}


def pending(rank: int, size: int) -> object:
    """Rebuild between the forward and the backward of a graph, then train on."""
    data = torch.Generator().manual_seed(100 + rank)
    model = Branching()
    wrapper = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model.left.requires_grad_(False)
    rebuild(wrapper, Guard())
    for step in range(6):
        optimizer.zero_grad()
        loss = wrapper(torch.randn(8, 6, generator=data))["logits"].square().mean()
        if step == 2:
            model.left.requires_grad_(True)
            rebuild(wrapper, Guard())
        if step == 4:
            model.first.requires_grad_(False)
            rebuild(wrapper, Guard())
        loss.backward()
        optimizer.step()
    return digest(model)


def sharding(rank: int, size: int) -> object:
    """What is refused, of models that are wrapped in one way or another."""

    def refused(model: nn.Module) -> str | None:
        return distributed_refusal(
            {"": model}, dict(model.named_parameters()), Wrappers({"": model})
        )

    def gates_refused(model: nn.Module) -> str | None:
        return gate_refusal({"": model}, dict(model.named_parameters()), Wrappers({"": model}))

    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (size,))
    sharded = fully_shard(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), mesh=mesh)
    inner = Branching()
    wrapper = DistributedDataParallel(inner)
    alone = [torch.distributed.new_group([each]) for each in range(size)][rank]
    return {
        "fully_shard": refused(sharded),
        "inside of fully_shard": refused(sharded[0]),
        "tensor parallel": refused(
            parallelize_module(nn.Linear(4, 4), mesh, ColwiseParallel()),
        ),
        "gates, tensor parallel": gates_refused(
            parallelize_module(nn.Linear(4, 4), mesh, ColwiseParallel())
        ),
        "gates, fully_shard": gates_refused(sharded),
        "gates, FullyShardedDataParallel": gates_refused(
            FullyShardedDataParallel(nn.Linear(4, 4), device_id=torch.device("cpu"))
        ),
        "gates, not wrapped": gates_refused(Branching()),
        "gates, wrapped": gates_refused(wrapper),
        "gates, averaged apart": gates_refused(
            DistributedDataParallel(Branching(), process_group=alone)
        ),
        "FullyShardedDataParallel": refused(
            FullyShardedDataParallel(nn.Linear(4, 4), device_id=torch.device("cpu"))
        ),
        "not wrapped": refused(Branching()),
        "wrapped": refused(wrapper),
        "inside of a wrapper": refused(inner),
        "found": Wrappers({"": inner}).reducing(inner.left.parameters()) == [wrapper],
    }


def whole(rank: int, size: int) -> object:
    """Watch sharded models, of which ranks have no part of some parameters: states and norms as
    rank 0 tells them, and as they are of the whole gradients."""

    def sharded() -> tuple[nn.Module, torch.Tensor]:
        model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1), nn.Linear(1, 1))
        for module in (*model, model):
            fully_shard(module, mesh=mesh)
        model[3].requires_grad_(False)
        return model, torch.randn(4, 6) + rank

    def split() -> tuple[nn.Module, torch.Tensor]:
        model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
        plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
        return parallelize_module(model, mesh, plan), torch.randn(4, 6)

    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (size,))
    noted: dict[str, object] = {}
    for make in (sharded, split):
        model, inputs = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with probe.attach(model, optimizer, server=False, every=3) as run:
            for _ in range(6):
                optimizer.zero_grad()
                model(inputs).square().mean().backward()
                optimizer.step()
                grads = {n: p.grad for n, p in model.named_parameters()}
            run.flush()
            noted[make.__name__] = {
                row.name: [row.state, row.grad_norm, _norm(grads[row.name])]
                for row in run.parameters()
            }
    return noted


def explained(rank: int, size: int) -> object:
    """Ask why parameters have no gradient, of which DDP reduces one and another is nobody's."""
    model = Branching()
    wrapper = DistributedDataParallel(model, find_unused_parameters=True)
    loose = nn.Linear(2, 2)
    models = {"wrapped": wrapper, "loose": loose}
    optimizer = torch.optim.SGD([p for each in models.values() for p in each.parameters()], lr=0.1)
    with probe.attach(models, optimizer, server=False, every=1) as run:
        for step in range(3):
            if step == 1 and rank == 0:
                run.explain("loose.weight")
            optimizer.zero_grad()
            wrapper(torch.randn(8, 6), False)["logits"].sum().backward()
            optimizer.step()
        latest = job_of(run).explainer.latest
    return {name: each.detail for name, each in latest.items()}


class Scaled(nn.Module):
    """One weight, the gradient of whose first number overflows where it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, slope: float) -> torch.Tensor:
        return (self.weight * torch.tensor([slope, 1.0, 1.0, 1.0])).sum()


def overflowing(rank: int, size: int) -> object:
    """Skip a step whose gradient is not finite on rank 0 alone: the steps that each rank counts."""
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (size,))
    model = fully_shard(Scaled(), mesh=mesh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    with probe.attach(model, optimizer, server=False) as run:
        for slope in (1.0, 1e36, 1.0):
            optimizer.zero_grad()
            scaler.scale(model(slope)).backward()
            scaler.step(optimizer)
            scaler.update()
        return {"steps": job_of(run).state.step, "scale": scaler.get_scale()}


def _norm(grad: torch.Tensor | None) -> float | None:
    return None if grad is None else float(grad.full_tensor().norm())


def lasting(rank: int, size: int) -> object:
    """Freeze and thaw fifty times; how many reducers and accumulators of gradients are alive?"""
    model = Branching()
    wrapper = DistributedDataParallel(model)
    reducers = []
    for turn in range(50):
        model.left.requires_grad_(turn % 2 == 1)
        rebuild(wrapper, Guard())
        reducers.append(weakref.ref(wrapper.reducer))
        wrapper(torch.randn(8, 6))["logits"].sum().backward()
        if turn == 20:
            node(model.left.weight.requires_grad_()).metadata["turn"] = turn
            node(model.first.weight).metadata["turn"] = turn
    return {
        "reducers": sum(reducer() is not None for reducer in reducers),
        "hooks": len(wrapper._forward_pre_hooks),
        "accumulators": [
            "turn" in node(weight).metadata for weight in (model.first.weight, model.left.weight)
        ],
    }


def pieces(rank: int, size: int) -> object:
    """Watch a model of which FSDP1 keeps a piece on each rank: states and alerts, both ways."""
    noted: dict[bool, list[str]] = {}
    for original in (True, False):
        inner = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
        model = FullyShardedDataParallel(
            inner, use_orig_params=original, device_id=torch.device("cpu")
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        options = {"every": 1, "expect": ["*"], "strict": True}
        with probe.attach(model, optimizer, server=False, **options) as run:
            for _ in range(4):
                optimizer.zero_grad()
                model(torch.randn(4, 6)).square().mean().backward()
                optimizer.step()
            noted[original] = [row.state for row in run.parameters()]
    return {"original": noted[True], "flat": noted[False]}


def node(parameter: Tensor) -> Any:
    """The node of autograd that accumulates the gradient of a parameter."""
    return parameter.expand_as(parameter).grad_fn.next_functions[0][0]  # type: ignore[union-attr]


def uneven(rank: int, size: int) -> object:
    """Train under join() with gates, rank 0 on less data: what the gates of each rank say."""
    model = Branching()
    wrapper = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        run.gate("output:second", "norm > 0")
        run.gate("param:left.weight", "loss > 0", action="scale", factor=0.5)
        with wrapper.join():
            for _ in range(3 + 5 * rank):
                optimizer.zero_grad()
                wrapper(torch.randn(8, 6))["logits"].square().mean().backward()
                optimizer.step()
        problems = [gate.problem for gate in run.gates()]
    return {"problems": problems, "weights": digest(model)}


OTHERS = {
    "uneven": uneven,
    "overflowing": overflowing,
    "without": without,
    "pending": pending,
    "sharding": sharding,
    "lasting": lasting,
    "pieces": pieces,
    "whole": whole,
    "explained": explained,
}

if __name__ == "__main__":
    play({name: compare(setting) for name, setting in SETTINGS.items()} | OTHERS)
