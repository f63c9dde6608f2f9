"""What a gate says where it cannot do anything."""

from __future__ import annotations

import math

import pytest
from torch import Tensor, nn

from gradgate.probe.conditions.compiler import compile_condition
from gradgate.probe.gates.actions import Block
from gradgate.probe.gates.gate import Gate, GateSettings
from gradgate.probe.gates.sites import parse_site
from gradgate.probe.model.table import ParameterTable
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


def test_a_closed_gate_is_closed_until_the_step_after() -> None:
    """`closed` is of the latest step with a gradient, and a paused gate is not closed."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "step != 2")
        (gate,) = gating.gates_at_work(run)
        found = []
        for step in (1, 2, 3):
            gating.loss_of(model, step).backward()
            found.append((gate.is_closed, gate.arrivals.closed_now))
            run.step()
            found.append((gate.is_closed, gate.arrivals.closed_now))
        assert found == [
            *((True, True), (True, False)),
            *((True, False), (False, False)),  # until the step is over it counts as it was
            *((True, True), (True, False)),
        ]
        run.step()
        assert not gate.is_closed
        assert (gating.only_gate(run).closed, gating.only_gate(run).parameters) == (False, ())


def test_a_norm_that_is_not_finite_is_not_sent() -> None:
    """Python is told of an infinite norm; the wire, which has JSON, gets null."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", action="scale", factor=2.0)
        (gate,) = gating.gates_at_work(run)
        gate.record_norm(math.inf, closed=True)
        assert gating.only_gate(run).norm_in == math.inf
        assert gate.as_message()["norm_in"] is None
        gate.record_norm(3.0, closed=True)
        assert gate.as_message()["norm_out"] == 6.0
        gate.record_norm(3.0, closed=False)
        assert gate.as_message()["norm_out"] == 3.0


def test_a_paused_gate_lets_everything_pass() -> None:
    """A gate that is paused counts its steps and is closed in none, whatever its condition says."""
    model = Branched()
    with gating.attached(model) as run:
        gating.parts(run).registry.apply(gating.command("output:encoder", paused=True), 0)
        gating.loss_of(model, 1).backward()
        run.step()
        info = gating.only_gate(run)
        assert (info.steps, info.closed_steps, info.closed) == (1, 0, False)
    assert model.encoder[0].weight.grad is not None


def bare(site: str) -> Gate:
    condition = compile_condition("True")
    settings = GateSettings(1, parse_site(site), condition, Block(), 0, False, "test", None, 0)
    return Gate(settings)


def test_a_gate_to_which_nothing_comes_after_all_is_not_closed() -> None:
    """What an old graph brought before a forward does not keep the gate closed without it."""
    gate = bare("param:a")
    assert gate.decide(1, {}, gating.broken)
    gate.arrivals.await_gradient()
    assert not gate.end_step(gating.broken)
    assert not gate.decider.closed


@pytest.mark.parametrize(
    ("names", "index"),
    [
        ([("a",), ("b",)], 0),
        ([("c", "a"), ("b",)], 0),
        ([("c",), ("b",)], 0),  # the tensor has another name
        ([(), ("b",), ("a",)], 2),  # the name has another tensor
        ([(), ("b",)], None),
    ],
)
def test_a_gate_follows_its_parameter(names: list[tuple[str, ...]], index: int | None) -> None:
    """A gate goes with its name first, then with its tensor, and knows when neither is there."""
    gate, table = bare("param:a"), ParameterTable({"": nn.Linear(1, 1)})
    table.names[:] = [["a"], ["b"]]
    assert gate.find_parameter(table) == 0
    table.names[:] = map(list, names)
    assert gate.find_parameter(table) == index
