"""A job of several processes under random commands, and the same steered by hand.

Each rank runs it twice. First with Gradgate: freezes, thaws and gates come in random order, by the
script on every rank and, as from a server, on rank 0 alone. Then without: what was applied after
which step is done by hand, as a careful person writes it. `steer` returns what differed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.model.commands import (
    Command,
    CommandState,
    FreezeCommand,
    GateCommand,
    Report,
    ThawCommand,
    UngateCommand,
)
from gradgate.probe.session.run import job_of

PATHS = {
    "output:encoder": "encoder",
    "input:encoder": "encoder",
    "site:encoded": "encoder",
    "output:bypass": "bypass",
}
"""The sites in the model's forward, with the branch that each is on."""
GATED = ("param:encoder.0.weight", "param:stem.bias", "param:head.weight", *PATHS)
FROZEN = ("encoder", "encoder.0.weight", "bypass", "stem.bias", "stem", "head.bias")
CONDITIONS = (
    "True",
    "step % 3 != 0",
    "not closed",
    "norm > 0.05",
    "norm > 1.02 * norm_avg",
    "norm > (0.02 if closed else 0.04)",
    "loss > 1.05",
    "loss > 1 or norm > 0.05",
    "never_logged > 1",
)
OF_PARAMETERS = ("weight_norm > 1.5", "update_ratio < 0.004 or step % 2 == 0")
ACTIONS: tuple[dict[str, Any], ...] = (
    {"action": "block"},
    {"action": "block"},
    {"action": "scale", "factor": -0.5},
    {"action": "clip", "max_norm": 0.03},
)


class Branched(nn.Module):
    """Two branches to one head; `stem` reaches the loss through both."""

    def __init__(self, pass_on: Callable[[str, Tensor], Tensor] = lambda _, x: x) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.stem = nn.Linear(6, 8)
        self.encoder = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        self.bypass = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)
        self.pass_on = pass_on

    def forward(self, x: Tensor, around_only: bool = False) -> Tensor:
        stem = self.stem(x)
        if around_only:
            return self.head(torch.relu(self.pass_on("output:bypass", self.bypass(stem))))  # type: ignore[no-any-return]
        encoded = self.pass_on("output:encoder", self.encoder(self.pass_on("input:encoder", stem)))
        encoded = self.pass_on("site:encoded", probe.site(encoded, "encoded"))
        around = self.pass_on("output:bypass", self.bypass(stem))
        return self.head(torch.relu(encoded + around))  # type: ignore[no-any-return]


@dataclass
class Made:
    """What was brought about in the run with Gradgate."""

    bits: list[dict[str, Any]] = field(default_factory=list)
    applied: dict[int, list[tuple[Command, int | None]]] = field(default_factory=dict)
    """By the step after which, with the number of a gate."""
    closed: dict[tuple[int, int], bool] = field(default_factory=dict)
    """Whether a gate was closed, by step and number."""
    refused: int = 0
    given: int = 0


Shard = Callable[[nn.Module], nn.Module]


def steer(
    rank: int, size: int, *, commands: int, seed: int, kind: str = "ddp", **options: Any
) -> dict[str, Any]:
    """Train under so many random commands, then by hand; return what came of it, as JSON has it."""
    made = _with_gradgate(rank, size, commands, seed, KINDS[kind], options)
    hand = _ByHand(made, KINDS[kind], options, rank, size)
    by_hand = hand.train(len(made.bits) - 1)
    differing = [
        f"step {step}: {name}"
        for step, (ours, theirs) in enumerate(zip(made.bits, by_hand, strict=True))
        for name in ours
        if ours[name] != theirs[name]
    ]
    return {
        "differing": differing[:8],
        "given": made.given,
        "refused": made.refused,
        "applied": sum(map(len, made.applied.values())),
        "closed": sum(made.closed.values()),
        "steps": len(made.bits) - 1,
        "bits": str(made.bits[-1]),
        "decisions": hand.decisions[:8],
        "log": [
            f"{step}: {command.asked()} {number}"
            for step, chosen in made.applied.items()
            for command, number in chosen
        ]
        if differing
        else [],
    }


def _batch(step: int, rank: int, size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1000 * step + rank)
    return torch.randn(8, 6, generator=generator), torch.randint(0, 3, (8,), generator=generator)


def _optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


def _with_gradgate(
    rank: int, size: int, commands: int, seed: int, kind: Kind, options: dict[str, Any]
) -> Made:
    model = Branched()
    wrapped = kind.wrap(model, **options)
    optimizer = _optimizer(model)
    made, chance = Made(), random.Random(seed)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)

        def keep(report: Report) -> None:
            if report.state is CommandState.APPLIED and report.step is not None:
                chosen = made.applied.setdefault(report.step, [])
                if not any(command is report.command for command, _ in chosen):
                    chosen.append((report.command, report.gate))
            made.refused += report.state is CommandState.REJECTED

        job.reports.add_listener(keep)
        made.bits.append(_bits(model, optimizer))
        step = 0
        while made.given < commands or step % 8:
            step += 1
            optimizer.zero_grad()
            inputs, labels = _batch(step, rank, size)
            unused = kind.leaves_out(step, options)
            loss = nn.functional.cross_entropy(wrapped(inputs, unused), labels)
            run.log(loss=loss.item())  # each rank its own
            loss.backward()
            made.closed |= {(step, g.id): g.arrivals.closed_now for g in job.gates.registry.all()}
            optimizer.step()
            made.bits.append(_bits(model, optimizer))
            for _ in range(chance.choice((0, 1, 3, 5))):
                made.given += 1
                command = _choose(chance, [gate.id for gate in run.gates()], made.given)
                if chance.random() < 0.15:
                    if rank == 0:
                        job.queue.submit(command)
                    continue
                try:
                    _do(run, command)
                except probe.GradgateError:
                    made.refused += 1
    return made


def _choose(chance: random.Random, gates: list[int], number: int) -> Command:
    what = chance.random()
    asker: dict[str, Any] = {"by": "server", "id": number}
    if what < 0.2:
        target = chance.choice(FROZEN)
        return FreezeCommand(target, "grad", False, **asker)
    if what < 0.45:
        return ThawCommand(chance.choice(FROZEN), False, **asker)
    if what < 0.7 and len(gates) > 2:
        gate = chance.choice(gates)
        return UngateCommand(f"gate {gate}", gate, **asker)
    site = chance.choice(GATED)
    of_parameter = site.startswith("param:") and chance.random() < 0.3
    when = chance.choice(OF_PARAMETERS if of_parameter else CONDITIONS)
    hold = chance.choice((0, 0, 2))
    return GateCommand(site, site, when, hold=hold, **chance.choice(ACTIONS), **asker)


def _do(run: probe.Run, command: Command) -> None:
    if isinstance(command, FreezeCommand):
        run.freeze(command.target)
    elif isinstance(command, ThawCommand):
        run.thaw(command.target)
    elif isinstance(command, UngateCommand):
        run.ungate(command.gate)
    elif isinstance(command, GateCommand):
        run.gate(
            command.site,
            command.when,
            action=command.action,
            factor=command.factor,
            max_norm=command.max_norm,
            hold=command.hold,
        )


@dataclass
class _HandGate:
    command: GateCommand
    closed: bool = False
    """Whether it was closed in the step before."""
    arrived: bool = False
    closes: bool = False
    held_until: int = 0
    average: float | None = None


class _ByHand:
    """Does what was applied, after the same steps, without Gradgate."""

    def __init__(
        self, made: Made, kind: Kind, options: dict[str, Any], rank: int, size: int
    ) -> None:
        self._made, self._kind, self._options = made, kind, options
        self._rank, self._size = rank, size
        self._gates: dict[int, _HandGate] = {}
        self._step = 1
        self._loss = 0.0
        self.decisions: list[str] = []
        """Where a gate was closed with Gradgate and open by hand, or the reverse."""
        self._model = Branched(self._place)
        self._wrapped = kind.wrap(self._model, **options)
        self._optimizer = _optimizer(self._model)

    def train(self, steps: int) -> list[dict[str, Any]]:
        bits = [_bits(self._model, self._optimizer)]
        for self._step in range(1, steps + 1):
            self._optimizer.zero_grad()
            inputs, labels = _batch(self._step, self._rank, self._size)
            unused = self._kind.leaves_out(self._step, self._options)
            loss = nn.functional.cross_entropy(self._wrapped(inputs, unused), labels)
            logged = torch.tensor([loss.item()], dtype=torch.float64)
            dist.broadcast(logged, 0)
            self._loss = logged.item()
            if loss.requires_grad:
                loss.backward()
            self._after_backward()
            self._optimizer.step()
            bits.append(_bits(self._model, self._optimizer))
            for number, gate in self._gates.items():
                if gate.closes != self._made.closed[self._step, number]:
                    said = f"gate {number} on {gate.command.site}, {gate.command.when}"
                    self.decisions.append(f"step {self._step}: {said}: {gate.closes} by hand")
                gate.closed, gate.arrived = gate.arrived and gate.closes, False
                gate.closes = False
            self._obey()
        return bits

    def _obey(self) -> None:
        flipped = False
        for command, number in self._made.applied.get(self._step, []):
            if isinstance(command, GateCommand) and number is not None:
                self._gates[number] = _HandGate(command)
            elif isinstance(command, UngateCommand):
                self._gates.pop(command.gate)
            else:
                for name, parameter in self._model.named_parameters():
                    target = command.target
                    if name == target or name.startswith(f"{target}."):
                        flipped |= parameter.requires_grad != isinstance(command, ThawCommand)
                        parameter.requires_grad_(isinstance(command, ThawCommand))
                        parameter.grad = None if not parameter.requires_grad else parameter.grad
        self._gates = dict(sorted(self._gates.items()))
        if flipped:
            self._wrapped = self._kind.rewrap(self._wrapped, self._model, **self._options)

    def _place(self, site: str, x: Tensor) -> Tensor:
        return _Place.apply(x, self, site) if x.requires_grad else x  # type: ignore[no-any-return,no-untyped-call]

    def arrive(self, site: str, grad: Tensor) -> Tensor | None:
        """Return what passes a site of a gradient of this rank's own batch."""
        if site == "input:encoder" and self._is_cut_inside():
            return grad  # zeros that a function of FSDP's has made of nothing
        passed: Tensor | None = grad
        for number, gate in self._gates.items():
            if gate.command.site != site or passed is None:
                continue
            asks = "norm" in gate.command.when or gate.command.action == "clip"
            whole = 0.0
            if asks:
                own = torch.linalg.vector_norm(passed, dtype=torch.float32).double().reshape(1)
                norms = [torch.zeros_like(own) for _ in range(self._size)]
                dist.all_gather(norms, own)
                whole = math.sqrt(sum(norm.item() ** 2 for norm in norms)) / self._size
            if self._decide(number, gate, whole):
                passed = _act(gate.command, passed, whole)
        return passed

    def _after_backward(self) -> None:
        names = dict(self._model.named_parameters())
        behind = {
            branch: any(
                gate.closes and gate.command.action == "block"
                for gate in self._gates.values()
                if PATHS.get(gate.command.site) == branch
            )
            for branch in ("encoder", "bypass")
        }
        inside = self._is_cut_inside()
        for name, parameter in names.items():
            top = name.partition(".")[0]
            cut = {"encoder": inside, "bypass": behind["bypass"], "stem": all(behind.values())}
            if cut.get(top):
                parameter.grad = None
        for name, parameter in names.items():
            for number, gate in self._gates.items():
                if gate.command.site != f"param:{name}" or parameter.grad is None:
                    continue
                norm = self._kind.norm(parameter.grad)
                if self._decide(number, gate, norm):
                    parameter.grad = _act(gate.command, parameter.grad, norm)

    def _is_cut_inside(self) -> bool:
        """Whether nothing comes to the encoder's last layer."""
        return any(
            gate.closes and gate.command.action == "block"
            for gate in self._gates.values()
            if gate.command.site in ("output:encoder", "site:encoded")
        )

    def _decide(self, number: int, gate: _HandGate, norm: float) -> bool:
        gate.arrived, when = True, gate.command.when
        if "update_ratio" in when or "weight_norm" in when:
            closes = self._made.closed[self._step, number]
        else:
            values = {"step": self._step, "closed": gate.closed, "loss": self._loss, "norm": norm}
            values["norm_avg"] = average = norm if gate.average is None else gate.average
            if "norm" in when:
                gate.average = average + (norm - average) / 10
            held = self._step < gate.held_until
            closes = "never_logged" not in when and bool(eval(when, {}, values))
            if closes and not held:
                gate.held_until = self._step + gate.command.hold
            closes |= held
        gate.closes |= closes
        return closes


class _Place(torch.autograd.Function):
    """The identity; its gradient is steered by hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hand: _ByHand, site: str) -> Tensor:
        ctx.hand, ctx.site = hand, site
        ctx.set_materialize_grads(False)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, None, None]:
        passed = None if grads[0] is None else ctx.hand.arrive(ctx.site, grads[0])
        return passed, None, None


def _act(command: GateCommand, grad: Tensor, norm: float) -> Tensor | None:
    if command.action == "block":
        return None
    if command.factor is not None:
        return grad * command.factor
    assert command.max_norm is not None
    limit = torch.tensor(command.max_norm)
    local = grad.to_local() if hasattr(grad, "to_local") else grad
    whole = torch.tensor(norm)
    if command.site.startswith("param:"):
        whole = torch.linalg.vector_norm(local) if local is grad else whole
    return grad * (limit / whole) if whole > limit else grad


def _bits(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, parameter in model.named_parameters():
        found[name] = _of(parameter)
        for key, value in optimizer.state.get(parameter, {}).items():
            found[f"{name}: {key}"] = _of(value)
    return found


def _of(value: Any) -> Any:
    local = value.to_local() if hasattr(value, "to_local") else value
    return local.tolist() if isinstance(local, Tensor) else local


@dataclass(frozen=True)
class Kind:
    """A way to train in several processes."""

    wrap: Callable[..., nn.Module]
    rewrap: Callable[..., nn.Module]
    norm: Callable[[Tensor], float]

    def leaves_out(self, step: int, options: dict[str, Any]) -> bool:
        """Whether the forward of a step leaves a branch out, where that is allowed."""
        return bool(options.get("find_unused_parameters")) and step % 3 == 0


def _wrap_anew(_: nn.Module, model: nn.Module, **options: Any) -> nn.Module:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return model
    return DistributedDataParallel(model, **options)


def _shard(model: nn.Module, *, reshard: bool = True, half: bool = False) -> nn.Module:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    for module in (model.encoder, model.bypass, model):
        fully_shard(module, mesh=mesh, reshard_after_forward=reshard, mp_policy=policy)
    return model


def _whole_norm(grad: Tensor) -> float:
    """Of a sharded gradient, of which each rank has a part."""
    local = grad.to_local()  # type: ignore[attr-defined]
    own = torch.linalg.vector_norm(local).double().reshape(1)
    norms = [torch.zeros_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(norms, own)
    return math.sqrt(sum(norm.item() ** 2 for norm in norms))


KINDS = {
    "fsdp": Kind(_shard, lambda wrapped, *_, **__: wrapped, _whole_norm),
    "ddp": Kind(
        DistributedDataParallel,
        _wrap_anew,
        lambda grad: torch.linalg.vector_norm(grad).item(),
    ),
}
