"""Gates in compiled models: to the bit what the same model does that is cut by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from gradgate import probe
from gradgate.probe import GateInfo
from tests.support import gating
from tests.support.gating import SITES, Branched, Place

STEPS = 7
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]
COMPILER = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="inductor needs a C++ compiler, and there is none",
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is compiled before or after."""
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


@dataclass
class AtTimes:
    """A gate by hand that is closed in some steps: the model is compiled with it and without."""

    place: Place
    closed: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        return self.place(x) if self.closed else x


@dataclass
class Apart(AtTimes):
    """The same outside of what is compiled, whose graph breaks there, as it does at a gate.

    Fused by inductor, another graph has other last bits.
    """

    def __post_init__(self) -> None:
        self._gate = torch.compiler.disable(super().__call__)

    def __call__(self, x: Tensor) -> Tensor:
        return self._gate(x)


Seen = list[tuple[dict[str, bytes | None], dict[str, bytes]]]
"""The bits of the gradients and of the weights, after each step."""


def train(
    model: nn.Module,
    called: Callable[[Tensor], Tensor],
    begin: Callable[[int], None],
    optimizer: torch.optim.Optimizer,
) -> Seen:
    seen: Seen = []
    for step in range(1, STEPS + 1):
        begin(step)
        optimizer.zero_grad()
        inputs, targets = gating.data(step)
        (called(inputs) - targets).square().mean().backward()
        optimizer.step()
        seen.append((gating.gradients(model), gating.weights(model)))
    return seen


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return gating.OPTIMIZERS["adamw"](list(model.parameters()))


def drop_zeros(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """A compiled part that has other outputs, too, makes zeros of what does not come to one."""
    for parameter in optimizer.param_groups[0]["params"]:
        if parameter.grad is not None and not bool(parameter.grad.any()):
            parameter.grad = None


def by_hand(at: str, place: Place, when: Callable[[int], bool], backend: str) -> Seen:
    gate = (Apart if backend == "inductor" else AtTimes)(place)
    model = Branched(gate, at)
    optimizer = adamw(model)
    optimizer.register_step_pre_hook(drop_zeros)

    def begin(step: int) -> None:
        gate.closed = when(step)

    return train(model, torch.compile(model, backend=backend), begin, optimizer)


def gated(site: str, backend: str, attached: str, **gate: Any) -> tuple[Seen, GateInfo]:
    """Train with a gate from step 2 on; ``attached`` to the model or to the ``wrapper``."""
    model = Branched()
    optimizer = adamw(model)
    called: Any = model
    if attached == "in place":
        model.compile(backend=backend)
    else:
        called = torch.compile(model, backend=backend)
    if attached == "wrapper" and not site.startswith("site"):
        site = site.replace(":", ":_orig_mod.")
    watched = called if attached == "wrapper" else model
    with probe.attach(watched, optimizer, server=False, every=2) as run:

        def begin(step: int) -> None:
            if step == 2:
                run.gate(site, **gate)
            run.log(even=float(step % 2 == 0))

        return train(model, called, begin, optimizer), gating.only_gate(run)


CONDITIONS: dict[str, Callable[[int], bool]] = {
    "True": lambda step: step >= 2,
    "step % 3 == 0": lambda step: step >= 2 and step % 3 == 0,
    "even > 0": lambda step: step >= 2 and step % 2 == 0,
    "norm >= 0": lambda step: step >= 2,
}


@pytest.mark.exhaustive(4)
@pytest.mark.parametrize(
    ("backend", "when", "at"),
    [
        ("aot_eager", "True", "output"),
        ("aot_eager", "step % 3 == 0", "input"),
        ("aot_eager", "even > 0", "label"),
        ("aot_eager", "norm >= 0", "output"),
        pytest.param("inductor", "step % 3 == 0", "label", marks=COMPILER),
    ],
)
def test_blocked_as_by_hand(backend: str, when: str, at: str) -> None:
    """Whatever the condition asks for, gradients are missing where they are by hand."""
    ours, info = gated(SITES[at], backend, "model", when=when)
    torch.compiler.reset()
    assert ours == by_hand(at, gating.cut, CONDITIONS[when], backend)
    closed = sum(map(CONDITIONS[when], range(1, STEPS + 1)))
    assert (info.problem, info.steps, info.closed_steps) == (None, STEPS - 1, closed)


@pytest.mark.parametrize(("attached", "at"), [("in place", "label"), ("wrapper", "input")])
def test_wherever_the_run_is_attached(attached: str, at: str) -> None:
    """To a model that was compiled in place, or to what compiling returned."""
    ours, _ = gated(SITES[at], "aot_eager", attached, when="step % 3 == 0")
    torch.compiler.reset()
    assert ours == by_hand(at, gating.cut, CONDITIONS["step % 3 == 0"], "aot_eager")


def test_scaled_as_by_hand() -> None:
    """What passes of a gradient goes on into the compiled backward."""
    ours, _ = gated("output:encoder", "aot_eager", "model", action="scale", factor=-0.5)
    torch.compiler.reset()
    assert ours == by_hand("output", gating.scaled(-0.5), CONDITIONS["True"], "aot_eager")


def test_a_gated_parameter_has_nothing_compiled_anew() -> None:
    """Its gradient is kept out where it would be stored: for each step as by hand."""
    gated("param:encoder.2.weight", "aot_eager", "wrapper", when="False")
    made_open = counters["stats"].pop("unique_graphs")
    torch.compiler.reset()
    ours, info = gated("param:encoder.2.weight", "aot_eager", "wrapper", when="step % 3 == 0")
    made = counters["stats"]["unique_graphs"]
    torch.compiler.reset()
    model = Branched()
    optimizer = adamw(model)
    now = [0]

    def drop(*_: object) -> None:
        if now[0] > 1 and now[0] % 3 == 0:
            model.encoder[2].weight.grad = None

    optimizer.register_step_pre_hook(drop)
    compiled = torch.compile(model, backend="aot_eager")
    assert ours == train(model, compiled, lambda step: now.__setitem__(0, step), optimizer)
    assert (made, info.closed_steps) == (made_open, 2)


def test_without_its_gate_the_graph_is_whole_again() -> None:
    """What was compiled with breaks goes with the gate, and with the run."""
    model = Branched()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = adamw(model)
    graphs: list[int] = []

    def count(_: object) -> None:
        before = counters["stats"]["unique_graphs"]
        optimizer.zero_grad()
        gating.loss_of(compiled, 1).backward()  # type: ignore[arg-type]
        optimizer.step()
        graphs.append(counters["stats"]["unique_graphs"] - before)

    with probe.attach(model, optimizer, server=False, every=1) as run:
        count("without")
        number = run.gate("site:encoded")
        count("with")
        run.ungate(number)
        count("without again")
        run.gate("output:encoder")
        count("with another")
    count("detached")
    whole, labelled, again, gated_anew, detached = graphs
    assert whole == again == detached == 1
    assert labelled > 1
    assert gated_anew > 1


def test_a_graph_that_must_stay_whole_is_refused_by_name() -> None:
    """With fullgraph=True a break would raise in the midst of training; parameters can be gated."""
    model = Branched()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    optimizer = adamw(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for site in SITES.values():
            with pytest.raises(probe.CommandError, match="fullgraph=True"):
                run.gate(site)
        run.gate("param:encoder.2.weight")
        gating.loss_of(compiled, 1).backward()  # type: ignore[arg-type]
        optimizer.step()
        assert gating.only_gate(run).parameters == ("encoder.2.weight",)


class Wide(nn.Module):
    """Another shape for each width, so that each is compiled by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(4, width)
        self.outer = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, 4)."""
        return self.outer(self.inner(x))  # type: ignore[no-any-return]


def test_what_falls_back_to_eager_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Dynamo stops at eight versions of a function, with a line in its own log only."""
    model = nn.Sequential(*(Wide(width) for width in range(1, 11)))
    compiled = torch.compile(model, backend="eager")
    optimizer = adamw(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for layer in range(10):
            run.gate(f"output:{layer}", action="scale", factor=0.5)
        compiled(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    (told,) = [m for m in caplog.messages if "runs it eagerly from here on" in m]
    assert "'forward'" in told
    assert __file__ in told
    assert "output:0, output:1, output:2 and 7 more" in told


def test_a_job_under_compiled_autograd() -> None:
    """It makes modules while it compiles, which no hook of Gradgate's may be traced for."""
    model = nn.Linear(2, 1)
    under = torch._dynamo.config.patch(compiled_autograd=True)
    with under, probe.attach(model, server=False, every=1):
        torch.compile(lambda loss: loss.backward(), backend="eager")(model(torch.ones(1, 2)))
    assert model.weight.grad is not None
