"""One traced step: what it says of many parameters, and how faults of its own stay alone."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.diagnosis.case import Case, Finding
from gradgate.probe.diagnosis.diagnosis import Diagnosis
from gradgate.probe.diagnosis.explanation import Explanation
from gradgate.probe.diagnosis.trace import Trace
from gradgate.probe.diagnosis.unregistered import Unregistered
from tests.support.forked import run_python


class Listed(nn.Module):
    """An encoder behind a detach, two layers in a plain list, and one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
        self.spare = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x).detach()
        for layer in self.layers:
            h = layer(h)
        return h  # type: ignore[no-any-return]


def explained(model: nn.Module) -> dict[str, Explanation]:
    """Trace one step of a model, and ask about every parameter."""
    guard = Guard()
    trace = Trace({"": model}, model.parameters(), guard)
    trace.start()
    model(torch.ones(3, 4)).sum().backward()
    trace.stop()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    cases = [
        Case(i, name, id(parameter), state_of(parameter), True, trace.owners([name]))
        for i, (name, parameter) in enumerate(model.named_parameters())
    ]
    return trace.explain(cases, names, ())


def state_of(parameter: Tensor) -> str:
    return "absent" if parameter.grad is None else "present"


EXPECTED = {
    "encoder.weight": "detached",
    "encoder.bias": "detached",
    "spare.weight": "module_not_called",
    "spare.bias": "module_not_called",
    "layers[0].weight": "not_in_optimizer",
    "layers[0].bias": "not_in_optimizer",
    "layers[1].weight": "not_in_optimizer",
    "layers[1].bias": "not_in_optimizer",
}


def test_every_parameter_without_a_gradient_is_explained() -> None:
    """Registered ones in the order of the model, then those that no model has."""
    found = explained(Listed())
    assert {name: each.cause for name, each in found.items()} == EXPECTED


def fail_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verdict on one parameter fail."""
    of, finding = Diagnosis.of, Unregistered.finding

    def failing_of(self: Diagnosis, case: Case) -> Finding | None:
        if case.name == name:
            raise KeyError("lost")
        return of(self, case)

    def failing_finding(self: Unregistered, *given: object) -> Finding | None:
        if self.name == name:
            raise KeyError("lost")
        return finding(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Diagnosis, "of", failing_of)
    monkeypatch.setattr(Unregistered, "finding", failing_finding)


@pytest.mark.parametrize("name", ["encoder.weight", "spare.bias", "layers[0].bias"])
def test_a_verdict_that_fails_takes_no_other_along(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one is unknown, with the fault in its sentence, and all others are explained."""
    monkeypatch.delenv("GRADGATE_STRICT")
    fail_for(name, monkeypatch)
    found = explained(Listed())
    assert {n: each.cause for n, each in found.items()} == {**EXPECTED, name: "unknown"}
    assert found[name].detail == (
        f"The trace does not tell why `{name}` has no useful gradient: gradgate failed inside "
        "(KeyError: 'lost')."
    )


def test_a_verdict_that_fails_is_raised_in_strict_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of Gradgate's own is to see it."""
    fail_for("spare.bias", monkeypatch)
    with pytest.raises(KeyError, match="lost"):
        explained(Listed())


def test_a_container_that_cannot_be_read_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What else the models hold is looked at all the same."""

    class Closed(dict[str, object]):
        def items(self) -> object:  # type: ignore[override]
            raise RuntimeError("closed")

    monkeypatch.delenv("GRADGATE_STRICT")
    model = Listed()
    layers = vars(model).pop("layers")
    model.closed, model.layers = Closed(a=1), layers  # the one that fails is the first
    found = explained(model)
    assert {name: each.cause for name, each in found.items()} == EXPECTED


def test_what_is_left_when_the_time_is_over_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live job waits meanwhile, so nothing is looked at after that."""
    monkeypatch.setattr("gradgate.probe.diagnosis.trace.LONGEST", -1.0)
    found = explained(Listed())
    assert found["encoder.weight"].cause == "unknown"
    assert "too many" in found["encoder.weight"].detail


def test_sizes_that_cannot_be_read_leave_the_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detach is a detach, however large the gradient was."""
    monkeypatch.delenv("GRADGATE_STRICT")
    monkeypatch.setattr("gradgate.probe.diagnosis.tape.Tape.read_sizes", lambda _: 1 / 0)
    found = explained(Listed())
    assert {name: each.cause for name, each in found.items()} == EXPECTED


def test_a_trace_leaves_the_garbage_collector_as_it_was() -> None:
    """It collects seldom in between."""
    before = gc.get_threshold()
    gc.set_threshold(800, 9, 8)
    trace = Trace({}, [], Guard())
    try:
        trace.start()
        assert gc.get_threshold()[0] >= 50_000
        trace.stop()
        assert gc.get_threshold()[:2] == (800, 9)
        gc.set_threshold(900, 9, 8)
        trace.stop()
        assert gc.get_threshold()[0] == 900
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_traces_that_overlap_leave_the_garbage_collector_as_it_was(first: int) -> None:
    """In whatever order they end, as where one of them is dropped in the midst of the others."""
    before = gc.get_threshold()
    traces = [Trace({}, [], Guard()) for _ in range(3)]
    try:
        for trace in traces:
            trace.start()
        for trace in (*traces[first:], *traces[:first]):
            trace.stop()
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("threshold", [0, 60_000])
def test_a_garbage_collector_that_seldom_comes_is_left_alone(threshold: int) -> None:
    """As where the script has turned it off."""
    before = gc.get_threshold()
    trace = Trace({}, [], Guard())
    try:
        gc.set_threshold(threshold, 9, 8)
        trace.start()
        assert gc.get_threshold()[0] == threshold
        trace.stop()
        assert gc.get_threshold()[0] == threshold
    finally:
        gc.set_threshold(*before)


# What it holds on to: no activations of dropped graphs, and no graph too deep to be freed.

DEEP = """
import torch
from gradgate import probe

weight = torch.nn.Linear(1, 1, bias=False)

def step():
    x = weight(torch.ones(1))
    for _ in range(60_000):
        x = x * 1.0
    x.detach().requires_grad_().sum().backward()

print(probe.explain(weight, step)["weight"].cause)
"""


class Saved:
    """What a graph keeps of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def test_a_graph_that_is_dropped_in_the_step_lets_go_of_its_activations() -> None:
    """An evaluation without ``no_grad`` inside of a traced step needs no more memory than else."""
    model = nn.Linear(4, 4)
    kept: list[weakref.ref[Saved]] = []

    def pack(tensor: Tensor) -> Saved:
        saved = Saved(tensor)
        kept.append(weakref.ref(saved))
        return saved

    def closure() -> None:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
            model(torch.ones(3, 4)).cos().sum()
        assert kept
        assert all(saved() is None for saved in kept)
        model(torch.ones(3, 4)).sum().backward()

    assert probe.explain(model, closure) == {}


def test_a_graph_of_any_depth_is_freed() -> None:
    """torch takes the whole stack to free 50,000 nodes in a row that Python has looked at."""
    done = run_python("-c", DEEP)
    assert (done.returncode, done.stdout.strip()) == (0, "unknown"), done.stderr
