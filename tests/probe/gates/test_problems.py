"""What a gate says where it cannot do anything, and what is refused."""

from __future__ import annotations

import math
import timeit
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched, closed_in

PROBLEMS: dict[str, tuple[str, str, str]] = {
    "no metric": ("output:encoder", "absent > 1", "'absent'"),
    "nan": ("output:encoder", "broken", "NaN"),
    "division": ("output:encoder", "1 / zero > 1", "division by zero"),
    "parameter": ("param:encoder.0.weight", "1 / zero > 1", "division by zero"),
    "not called": ("output:unused", "True", "unused is not called"),
    "label": ("site:nowhere", "True", "nowhere is not passed"),
    "no gradient": ("output:numbers", "True", "what numbers returns carries no gradient"),
    "input": ("input:stem", "True", "what stem is given carries no gradient"),
    "dead end": ("output:aside", "True", "no backward goes through it"),
    "unused": ("param:unused.weight", "False", "its backward does not reach it"),
}


class Troubled(Branched):
    """Has modules that are of no use to a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.numbers, self.aside = nn.Linear(2, 2), nn.Identity(), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.numbers(x.argmax(1))
        self.aside(x)
        return super().forward(x)


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_a_gate_that_cannot_work_says_why(name: str) -> None:
    """After five steps at most a gate says what is wrong; the job trains as if without it."""
    site, when, words = PROBLEMS[name]
    model, reference = Troubled(), Troubled()
    optimizers = [OPTIMIZERS["sgd"](list(m.parameters())) for m in (model, reference)]
    with gating.attached(model, optimizers[0]) as run:
        run.gate(site, when)
        for step in range(1, 7):
            run.log(broken=math.nan, zero=0)
            gating.train(model, optimizers[0], 1, first=step)
        gating.train(reference, optimizers[1], 6)
        gate = gating.only_gate(run)
        assert words in str(gate.problem)
        assert (gate.closed, gate.closed_steps) == (False, 0)
    assert gating.weights(model) == gating.weights(reference)


def test_a_problem_goes_when_its_cause_does() -> None:
    """A gate whose metric comes at last decides, and has no problem any more."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "late > 1")
        closed_in(run, model, 2)
        assert gating.only_gate(run).problem
        assert closed_in(run, model, 2, late=lambda step: 2) == [1, 2]
        assert gating.only_gate(run).problem is None


def test_a_frozen_parameter_says_so_to_its_gate() -> None:
    """A gate whose parameter was frozen later is told of as such, and works when it is thawed."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:head.weight")
        run.freeze("head")
        gating.train(model, optimizer, 6)
        assert "it is frozen" in str(gating.only_gate(run).problem)
        run.thaw("head")
        gating.train(model, optimizer, 1)
        assert gating.only_gate(run).problem is None
        assert gating.states(run)["head.weight"] == "gated"


def test_a_parameter_that_is_replaced_stays_gated() -> None:
    """A gate follows the tensor that takes its parameter's place, and says when none does."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:head.weight", "norm >= 0")
        gating.train(model, optimizer, 1)
        model.head.weight = nn.Parameter(torch.zeros(3, 8))
        gating.train(model, optimizer, 1)
        model.zero_grad()  # of the step in which it was not known yet
        gating.train(model, optimizer, 2)
        assert model.head.bias.grad is not None
        assert model.head.weight.grad is None
        model.head = nn.Sequential(model.head)  # type: ignore[assignment]
        gating.train(model, optimizer, 2)
        assert gating.only_gate(run).parameters == ("head.0.weight",)
        model.head = nn.Sequential(nn.Linear(8, 3))  # type: ignore[assignment]
        gating.train(model, optimizer, 8)
        assert "head.weight is no longer in the model" in str(gating.only_gate(run).problem)


def test_a_model_compiled_afterwards() -> None:
    """A model that is compiled after its gate was made trains on, and the gate says why not."""
    torch.compiler.reset()
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder")
        compiled = torch.compile(model, backend="eager")
        for step in range(1, 7):
            gating.loss_of(compiled, step).backward()  # type: ignore[arg-type]
            run.step()
        assert "was compiled since" in str(gating.only_gate(run).problem)
    assert model.encoder[0].weight.grad is not None
    torch.compiler.reset()


def test_what_is_refused() -> None:
    """Each thing that cannot be is refused with its reason; nothing is left of it."""
    model = Branched()
    optimizer = torch.optim.LBFGS(model.parameters())
    model.head.requires_grad_(False)
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"site": "output:encodr"}, "did you mean 'encoder'"),
        ({"site": "param:head"}, "names no parameter of this run"),
        ({"site": "param:head.weight"}, "'head.weight' is frozen"),
        ({"site": "encoder"}, "is no site; give param:NAME"),
        ({"site": "site:"}, "names nothing"),
        ({"site": "site:x", "when": "norm >"}, "cannot be read"),
        ({"site": "site:x", "action": "stop"}, "'stop' is unknown"),
        ({"site": "site:x", "action": "scale"}, "needs factor"),
        ({"site": "site:x", "action": "clip", "max_norm": 0}, "above 0"),
        ({"site": "site:x", "factor": 2}, "factor belongs to action 'scale'"),
        ({"site": "site:x", "hold": -1}, "from 0 up"),
    ]
    with gating.attached(model) as run:
        for options, words in refusals:
            with pytest.raises(probe.GradgateError, match=words):
                run.gate(**options)
        with pytest.raises(probe.CommandError, match="no gate 4; it has none"):
            run.ungate(4)
        assert run.gate("site:x") == 1
    with gating.attached(model, optimizer) as run, pytest.raises(probe.CommandError, match="LBFGS"):
        run.gate("output:encoder")
    model.compile(backend="eager")
    with gating.attached(model) as run, pytest.raises(probe.CommandError, match="is compiled"):
        run.gate("output:encoder")


@pytest.mark.usefixtures("alone")
def test_a_distributed_job_is_refused() -> None:
    """In a job of several processes a gate is refused by name, and nothing is hooked."""
    model = Branched()
    with gating.attached(model) as run:
        with pytest.raises(probe.CommandError, match="this job is distributed"):
            run.gate("output:encoder")
        assert run.gates() == []


def test_without_gates_a_step_costs_microseconds() -> None:
    """With no gate made a step pays microseconds, and a label with no run next to nothing."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer, every=1000) as run:
        job, held = run._job, list(range(10))

        def step() -> None:
            job.gates.blocked.clear_gradients(held)
            job.gates.accounting.end_step(1)
            job.gates.blocked.release()
            job.settle_gates()

        spent = timeit.repeat(step, number=1000, repeat=5)
        assert min(spent) / 1000 < 5e-5
        labelled = torch.ones(3, requires_grad=True)
        passing = timeit.repeat(lambda: probe.site(labelled, "x"), number=1000, repeat=5)
        assert min(passing) / 1000 < 5e-5
    alone = timeit.repeat(lambda: probe.site(labelled, "x"), number=1000, repeat=5)
    assert min(alone) / 1000 < 5e-6
