"""Small real training jobs, for faults to be injected into: each trains alike with and without."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from gradgate import probe
from gradgate.probe.base.errors import GradgateError
from gradgate.probe.script.check import Check
from gradgate.probe.script.watch import Watch as ScriptWatch
from gradgate.probe.torch_compat.recompile_limits import LOGGER

STEPS = 6
PATIENCE = 40
"""Seconds that a rank waits for the other, which may wait for it for 20."""


class Watch:
    """Attaches a job's models, or does nothing of the kind, and gives commands for the script."""

    def __init__(
        self,
        *,
        attaches: bool,
        begins: Callable[[], None] = lambda: None,
        began: Callable[[], None] = lambda: None,
    ) -> None:
        """``begins``: called before models are attached, ``began``: once they are."""
        self.attaches = attaches
        self.run: probe.Run | None = None
        self.script: ScriptWatch | None = None
        self.models: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        self._begins = begins
        self._began = began

    def attach(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        optimizers: Optimizer | Sequence[Optimizer] | None,
        **options: Any,
    ) -> None:
        """Attach, if that is wanted, to a server that is not there.

        A job that cannot be watched trains all the same, as a script that catches the error does.
        """
        if self.attaches:
            self.models = [models] if isinstance(models, nn.Module) else [*models.values()]
            several = () if optimizers is None else optimizers
            self.optimizers = [several] if isinstance(several, Optimizer) else [*several]
            options = {"server": "http://127.0.0.1:9", "every": 1, **options}
            self._begins()
            with contextlib.suppress(GradgateError):
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

    def explain(self, model: nn.Module, closure: Callable[[], object], *given: Any) -> None:
        """Explain a closure in a job that is attached; it says so where it cannot."""
        if self.attaches:
            with contextlib.suppress(GradgateError):
                probe.explain(model, closure, *given, check_backward=True)

    def follow_script(self) -> None:
        """Attach to what the job makes from here on, as ``gradgate check`` does."""
        if self.attaches:
            self.script = ScriptWatch(Check(steps=None))
        self._began()

    def drop(self) -> None:
        """Let go of the run without a word, and of what it was attached to."""
        self.run, self.models, self.optimizers = None, [], []

    def end(self, **named: Any) -> None:
        """Detach."""
        if self.script is not None:
            self.script.stop(failed=False)
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


def explained(watch: Watch) -> list[Tensor]:
    """`explain()` of a closure that makes a whole step, with a custom function, in a live job."""
    model = _model(norm=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    watch.attach(model, optimizer)
    for step in range(3):
        batch = _batch()

        def closure(batch: Tensor = batch) -> None:
            _Double.apply(model(batch)).square().mean().backward()
            optimizer.step()

        if step == 1:
            watch.explain(model, closure, optimizer)
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
    watch.end()
    return list(model.parameters())


def dropped(watch: Watch) -> list[Tensor]:
    """A model that is thrown away without a detach, and another one that the program ends with."""
    first, second = _model(), _model()
    for model in (first, second):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        if model is second:
            watch.attach(model, optimizer, totals=True)
            watch.call("gate", "output:0")
            watch.call("freeze", "0")
            watch.call("explain")
        for _ in range(2):
            optimizer.zero_grad()
            model(_batch()).square().mean().backward()
            optimizer.step()
    watch.drop()
    del optimizer, model, second
    gc.collect()
    optimizer = torch.optim.SGD(first.parameters(), lr=0.01)
    watch.attach(first, optimizer)
    first(_batch()).square().mean().backward()
    optimizer.step()
    atexit._run_exitfuncs()
    watch.end()
    return list(first.parameters())


def checked(watch: Watch) -> list[Tensor]:
    """A script that says nothing of a run, and is followed as by `gradgate check`."""
    watch.follow_script()
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        batch = _batch()
        try:
            loss = model(batch).square().mean()
        except GradgateError:  # it cannot be watched, and the script is told
            loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
    watch.end()
    return list(model.parameters())


def compiled(watch: Watch) -> list[Tensor]:
    """A compiled model, compiled anew for a freeze and a gate, until torch gives it up."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    forward = torch.compile(model, backend="eager")
    watch.attach(forward, optimizer)
    for step in range(5):
        if step == 1:
            watch.call("freeze", "0")
        if step == 3:
            watch.call("gate", "output:0", action="scale", factor=0.5)
            given_up = "torch._dynamo hit config.%s (%s): %s"
            logging.getLogger(LOGGER).warning(given_up, "recompile_limit", 8, "forward")
        optimizer.zero_grad()
        forward(_batch()).square().mean().backward()
        optimizer.step()
    watch.end()
    return list(model.parameters())


def distributed(watch: Watch) -> list[Tensor]:
    """Two ranks under DistributedDataParallel; the fault is in the first, and both train on."""
    return _on_two_ranks(watch, lambda run, step: None)


def distributed_commands(watch: Watch) -> list[Tensor]:
    """The same with a freeze, which rebuilds the reducer, a gate, and a thaw."""

    def command(run: Watch, step: int) -> None:
        if step == 1:
            run.call("freeze", "module.0")
        if step == 2:
            run.call("gate", "param:module.2.weight", action="scale", factor=0.5)
        if step == 3:
            run.call("thaw", "module.0")

    return _on_two_ranks(watch, command)


def _on_two_ranks(watch: Watch, command: Callable[[Watch, int], None]) -> list[Tensor]:
    """Train on this rank and on one that is forked; return the parameters of both."""
    with tempfile.TemporaryDirectory() as folder:
        other = os.fork()
        if other == 0:
            try:
                _rank(Watch(attaches=watch.attaches), command, 1, folder)
            finally:
                os._exit(0)
        try:
            return _rank(watch, command, 0, folder)
        finally:
            os.kill(other, signal.SIGKILL)
            os.waitpid(other, 0)


def _rank(
    watch: Watch, command: Callable[[Watch, int], None], rank: int, folder: str
) -> list[Tensor]:
    within = timedelta(seconds=PATIENCE)
    where = f"file://{folder}/store"
    dist.init_process_group("gloo", where, rank=rank, world_size=2, timeout=within)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    replica = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    watch.attach(replica, optimizer)
    for step in range(STEPS):
        command(watch, step)
        optimizer.zero_grad()
        replica(_batch() + rank).square().mean().backward()
        optimizer.step()
    watch.end()
    replica(_batch())  # with which a reducer that was replaced at the end is gone
    own = [parameter.detach() for parameter in model.parameters()]
    both = [[torch.empty_like(each) for _ in range(2)] for each in own]
    for each, gathered in zip(own, both, strict=True):
        dist.all_gather(gathered, each)
    return [each for gathered in both for each in gathered]


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
        explained,
        dropped,
        checked,
        compiled,
        distributed,
        distributed_commands,
    )
}
"""By name."""
COMMANDED = frozenset({"frozen", "gated", "compiled", "distributed_commands"})
"""The jobs in which commands change what is trained."""
SLOW = frozenset({"checked", "compiled", "distributed", "distributed_commands"})
"""Those that take seconds."""
TOGETHER = frozenset({"distributed_commands"})
"""Those in which one rank alone, which was interrupted, must not undo what all have."""


def train(name: str, watch: Watch) -> list[Tensor]:
    """Run a job from its seed; return its parameters."""
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [parameter.detach().clone() for parameter in JOBS[name](watch)]
