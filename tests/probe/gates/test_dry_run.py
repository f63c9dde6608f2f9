"""A dry run foretells what a gate decides."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate import probe
from gradgate.probe.gates.dry_run import dry_run
from gradgate.probe.model.commands import GateCommand
from gradgate.probe.session.run import job_of
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched


@pytest.mark.parametrize(
    "when", ["norm > {0}", "norm > 1.1 * norm_avg", "norm > ({0} * .8 if closed else {0})"]
)
@pytest.mark.parametrize("hold", [0, 3])
@pytest.mark.parametrize(
    ("site", "level"), [("output:encoder", 0.15), ("param:encoder.0.weight", 0.07)]
)
def test_a_trial_is_what_would_have_been(when: str, hold: int, site: str, level: float) -> None:
    """Played over the norms of a run, a condition closes in the steps in which it did."""
    when = when.format(level)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    norms: list[float | None] = []
    closed: list[int] = []
    with gating.attached(model, optimizer) as run:
        run.gate(site, when, "scale", factor=1.0, hold=hold)
        for step in range(1, 41):
            gating.train(model, optimizer, 1, first=step)
            gate = gating.only_gate(run)
            norms.append(gate.norm_in)
            closed += [step] if gate.closed else []
        check = job_of(run).gates.registry.check
        asked = GateCommand(site, site, when, hold=hold, by="test")
        history = {"steps": list(range(1, 41)), "values": {"norm": norms}}
        answer = dry_run(asked, history, check=check, known=[])
    assert 0 < len(closed) < 40
    assert answer["error"] is None
    assert (answer["closed"], answer["samples"]) == (closed, 40)


def tried(when: str, history: dict[str, Any] | None, **options: Any) -> dict[str, Any]:
    asked = gating.command("site:x", when=when, **options)
    return dry_run(asked, history, check=lambda _: None, known=["loss"])


def test_a_dry_run_says_what_is_wrong() -> None:
    """A bad condition has its column; what else is refused has a sentence."""
    assert tried("norm >", None)["error"]["column"] == 6

    def refuse(_: GateCommand) -> None:
        raise probe.CommandError("not here.")

    answer = dry_run(gating.command("site:x"), None, check=refuse, known=[])
    assert answer["error"] == {"message": "not here.", "column": None}


def test_a_dry_run_knows_what_it_lacks() -> None:
    """Names without a history are missing; those that nobody logged are said to be unknown."""
    history = {"steps": [1, 2], "values": {"loss": [1.0, 2.0]}}
    answer = tried("loss > 1 and acc > 2", history)
    assert (answer["closed"], answer["missing"]) == (None, ["acc"])
    assert answer["notes"] == [
        "acc: no metric of that name was logged yet, so the gate stays open until there is one."
    ]
    assert tried("loss > 1", None)["missing"] == ["loss"]
    assert tried("norm_avg > 1", history)["missing"] == ["norm_avg"]
    assert tried("loss > 1", None)["names"] == ["closed", "loss", "norm", "norm_avg", "step"]
    asked = gating.command("param:a", when="True")
    names = dry_run(asked, None, check=lambda _: None, known=[])["names"]
    assert names == ["closed", "norm", "norm_avg", "step", "update_ratio", "weight_norm"]


def test_a_dry_run_over_gaps() -> None:
    """Without a gradient nothing is decided; what cannot be told is open, and counted."""
    history = {
        "steps": [1, 2, 3, 4, 5],
        "values": {"norm": [3.0, None, 3.0, 1.0, 3.0], "loss": [1.0, 1.0, None, 1.0, 0.0]},
    }
    answer = tried("norm > 2 and 1 / loss > 0", history)
    assert (answer["closed"], answer["samples"]) == ([1], 4)
    assert answer["notes"] == ["in 2 of 4 samples the condition could not be told."]
    assert tried("norm > 2", history, hold=2)["closed"] == [1, 3, 4, 5]
    assert tried("norm > 2 and not closed", history)["closed"] == [1, 3, 5]
    assert tried("loss == 1 and not closed", history)["closed"] == [1, 4]


@pytest.mark.parametrize("history", [None, {"steps": [1, 2], "values": {"norm": [1.0, 3.0]}}])
def test_what_a_gate_costs_in_a_compiled_model_is_said(history: dict[str, Any] | None) -> None:
    """A break of the graph at its site, and a wait for the norm where the condition asks for it."""

    def notes(site: str, when: str, *, compiled: bool) -> str:
        asked = gating.command(site, when=when)
        told = dry_run(asked, history, check=lambda _: None, known=[], compiled=compiled)
        return " ".join(told["notes"])

    assert "break of its graph" in notes("output:x", "step > 3", compiled=True)
    assert "waits for the norm" not in notes("output:x", "step > 3", compiled=True)
    assert "waits for the norm" in notes("site:x", "norm > 3", compiled=True)
    assert "stays compiled as it is" in notes("param:x", "step > 3", compiled=True)
    assert notes("output:x", "norm > 3", compiled=False) == ""
