"""Small real training jobs, for faults to be injected into: each trains alike with and without."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from gradgate import probe
from gradgate.probe.base.errors import GradgateError

STEPS = 6


class Watch:
    """Attaches a job's models, or does nothing of the kind, and gives commands for the script."""

    def __init__(self, *, attaches: bool, began: Callable[[], None] = lambda: None) -> None:
        """``began``: called once the models are attached."""
        self.attaches = attaches
        self.run: probe.Run | None = None
        self.models: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        self._began = began

    def attach(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        optimizers: Optimizer | Sequence[Optimizer] | None,
        **options: Any,
    ) -> None:
        """Attach, if that is wanted, to a server that is not there."""
        if self.attaches:
            self.models = [models] if isinstance(models, nn.Module) else [*models.values()]
            several = () if optimizers is None else optimizers
            self.optimizers = [several] if isinstance(several, Optimizer) else [*several]
            options = {"server": "http://127.0.0.1:9", "every": 1, **options}
            self.run = probe.attach(models, optimizers, **options)
        self._began()

    def call(self, method: str, *args: Any, **named: Any) -> Any:
        """Call a method of the run; the errors that its documentation names are the script's."""
        if self.run is None:
            return None
        try:
            return getattr(self.run, method)(*args, **named)
        except GradgateError:
            return None

    def end(self, **named: Any) -> None:
        """Detach."""
        self.call("detach", **named)


def _model(norm: bool = True) -> nn.Sequential:
    middle: nn.Module = nn.BatchNorm1d(8) if norm else nn.Tanh()
    return nn.Sequential(nn.Linear(4, 8), middle, nn.ReLU(), nn.Linear(8, 2))


def _batch() -> Tensor:
    return torch.randn(5, 4)


def plain(watch: Watch) -> list[Tensor]:
    """AdamW, a scheduler, clipping by norm and value, `log` and everything that a run tells."""
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    watch.attach(model, optimizer, expect=["0.weight"], totals=True)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = model(_batch()).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        watch.call("log", loss=loss, step=step)
        if step == 3:
            model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()})
    for asked in (
        "parameters",
        "alerts",
        "notes",
        "gates",
        "explanations",
        "__repr__",
        "state_dict",
    ):
        watch.call(asked)
    watch.call("flush", 0.01)
    watch.end()
    return list(model.parameters())


def between_samples(watch: Watch) -> list[Tensor]:
    """Most steps are not sampled, and the model grows and is unfrozen on the way."""
    model = _model(norm=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    watch.attach(model, optimizer, every=4, totals=True)
    for step in range(2 * STEPS):
        model(_batch()).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=step % 2 == 0)
        if step == 2:
            model.append(nn.Linear(2, 2))
            optimizer.add_param_group({"params": list(model[-1].parameters())})
        if step == 4:
            model[0].requires_grad_(False)
        if step == 8:
            model[0].requires_grad_(True)
    watch.end()
    return list(model.parameters())


def mixed_precision(watch: Watch) -> list[Tensor]:
    """A scaler, one of whose steps overflows."""
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = GradScaler("cpu", init_scale=128.0)
    watch.attach(model, optimizer, totals=True)
    for step in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(_batch()).square().mean()
        scaler.scale(loss * (float("inf") if step == 2 else 1.0)).backward()
        if step % 2:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    watch.end()
    return list(model.parameters())


def accumulated(watch: Watch) -> list[Tensor]:
    """Two backwards a step, gradients that are never cleared, hooks of the script's own."""
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model[0].weight.register_hook(lambda grad: grad * 2)
    watch.attach(model, optimizer, totals=True)
    for step in range(2 * STEPS):
        model(_batch()).square().mean().backward()
        if step % 2:
            optimizer.step()
        if step == STEPS:
            optimizer.zero_grad()
    watch.end()
    return list(model.parameters())


def two_optimizers(watch: Watch) -> list[Tensor]:
    """A GAN, which switches `requires_grad` of its discriminator itself."""
    generator, judge = _model(norm=False), nn.Linear(2, 1)
    made = torch.optim.Adam(generator.parameters(), lr=0.01)
    judged = torch.optim.Adam(judge.parameters(), lr=0.01)
    watch.attach({"generator": generator, "judge": judge}, [made, judged])
    for _ in range(STEPS):
        judged.zero_grad()
        judge.requires_grad_(True)
        fake = generator(_batch())
        (judge(fake.detach()).mean() - judge(torch.ones(5, 2)).mean()).backward()
        judged.step()
        made.zero_grad()
        judge.requires_grad_(False)
        (-judge(fake).mean()).backward()
        made.step()
    watch.end()
    return [*generator.parameters(), *judge.parameters()]


def by_hand(watch: Watch) -> list[Tensor]:
    """No optimizer: the script steps by itself, and says so."""
    model = _model()
    watch.attach(model, None)
    for _ in range(STEPS):
        model(_batch()).square().mean().backward()
        watch.call("step")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(parameter.grad, alpha=0.01)
                parameter.grad = None
    watch.end()
    return list(model.parameters())


def in_backward(watch: Watch) -> list[Tensor]:
    """Optimizers that step in a hook of each parameter, and a run that sees none of theirs."""
    model = _model(norm=False)
    own = {p: torch.optim.SGD([p], lr=0.01) for p in model.parameters()}

    def apply(parameter: Tensor) -> None:
        own[parameter].step()
        own[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)
    watch.attach(model, list(own.values()))
    for _ in range(STEPS):
        model(_batch()).square().mean().backward()
    watch.end()
    return list(model.parameters())


def unstepped(watch: Watch) -> list[Tensor]:
    """An optimizer that the run was given never steps: another one does."""
    model = _model(norm=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    watch.attach(model, torch.optim.SGD(model.parameters(), lr=0.01))
    for _ in range(2 * STEPS):
        optimizer.zero_grad()
        model(_batch()).square().mean().backward()
        optimizer.step()
    watch.end()
    return list(model.parameters())


def with_closure(watch: Watch) -> list[Tensor]:
    """LBFGS, whose steps make backwards of their own."""
    model = _model(norm=False)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    watch.attach(model, optimizer)
    for _ in range(3):
        batch = _batch()

        def closure(batch: Tensor = batch) -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = model(batch).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)
    watch.end()
    return list(model.parameters())


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * 2


def traced(watch: Watch) -> list[Tensor]:
    """Steps that are traced, with parameters that get nothing, little, and NaN."""
    model = _model(norm=False)
    model.append(nn.Linear(2, 2))
    unused = nn.Linear(2, 2)
    model[0].unused = unused
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    watch.attach(model, optimizer)
    for step in range(STEPS):
        if step % 2:
            watch.call("explain", "*")
        optimizer.zero_grad()
        batch = torch.from_numpy(_batch().numpy())
        with torch.no_grad():
            shift = model[0](batch).mean()
        hidden = _Double.apply(model[:4](batch)) + shift
        loss = (model[4](hidden.detach()) * nn.Parameter(torch.ones(2))).square().mean()
        (loss + float(hidden.sum().detach()) * hidden.relu().mean()).backward()
        torch.autograd.grad(model(batch).sum(), list(model[3].parameters()))
        optimizer.step()
        watch.call("explanations")
    watch.end()
    return list(model.parameters())


def frozen(watch: Watch) -> list[Tensor]:
    """Freezes of every kind, a checkpoint, a scaler, and a script that sets flags itself."""
    body, head = _model(), nn.Linear(2, 2)
    model = nn.Sequential(body, head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = GradScaler("cpu", init_scale=2.0)
    watch.attach(model, optimizer, totals=True)
    for step in range(2 * STEPS):
        if step == 1:
            watch.call("preview", "freeze", "0.0")
            watch.call("freeze", "0.0")
            watch.call("freeze", "0.1", hold_stats=True)
        if step == 3:
            watch.call("freeze", "0", mode="no_grad")
        if step == 5:
            watch.call("freeze", "*")
        if step == 7:
            saved = watch.call("state_dict")
            watch.call("thaw", "*", reset_state=True)
            watch.call("load_state_dict", saved)
            watch.call("thaw", "1")
        optimizer.zero_grad()
        batch = _batch()
        hidden = checkpoint(body, batch, use_reentrant=False) if step % 2 else body(batch)
        scaler.scale(model[1](hidden).square().mean() + 0 * model(batch).sum()).backward()
        torch.autograd.grad(model(batch).sum(), [body[0].weight, head.weight], allow_unused=True)
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_value_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        if step % 3 == 0:
            head.requires_grad_(False)
            head.requires_grad_(True)
        body[0].weight.requires_grad = True
        model.to(torch.float32)
        body[0].weight.register_hook(lambda grad: grad)
    watch.end()
    return list(model.parameters())


class _Labelled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = probe.site(torch.relu(self.first(x)), "middle")
        x = self.second(x) + x
        return self.third(x)  # type: ignore[no-any-return]


def gated(watch: Watch) -> list[Tensor]:
    """Gates on every kind of site, with every action, beside hooks of the script's own."""
    model = _Labelled()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = GradScaler("cpu", init_scale=2.0)
    watch.attach(model, optimizer)
    model.second.register_full_backward_hook(lambda *_: None)
    for step in range(2 * STEPS):
        if step == 1:
            watch.call(
                "gate", "param:first.weight", when="norm > 1e-6", action="clip", max_norm=0.1
            )
            watch.call("gate", "output:second", when="loss > 0", action="scale", factor=0.5)
            watch.call("gate", "input:third", action="block")
        if step == 4:
            watch.call("gate", "site:middle", when="norm >= 0", action="block", hold=2)
            watch.call("gate", "param:third.bias", when="step % 2 == 0")
            watch.call("gate", "output:first")
        if step == 7:
            watch.call("gates")
            watch.call("load_state_dict", watch.call("state_dict"))
            watch.call("ungate", 3)
        optimizer.zero_grad()
        model.first.weight.register_hook(lambda grad: grad)
        loss = model(_batch()).square().mean()
        scaler.scale(loss).backward()
        torch.autograd.grad(model(_batch()).sum(), list(model.parameters()), allow_unused=True)
        scaler.step(optimizer)
        scaler.update()
        watch.call("log", loss=loss)
        if step == 5:
            watch.call("explain", "*")
    watch.end()
    return list(model.parameters())


JOBS: Mapping[str, Callable[[Watch], list[Tensor]]] = {
    job.__name__: job
    for job in (
        plain,
        between_samples,
        mixed_precision,
        accumulated,
        two_optimizers,
        by_hand,
        in_backward,
        unstepped,
        with_closure,
        traced,
        frozen,
        gated,
    )
}
"""By name."""
COMMANDED = frozenset({"frozen", "gated"})
"""The jobs in which commands change what is trained."""


def train(name: str, watch: Watch) -> list[Tensor]:
    """Run a job from its seed; return its parameters."""
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [parameter.detach().clone() for parameter in JOBS[name](watch)]
