"""Gates in the user's checkpoint, and a job that goes on from it."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from gradgate import probe
from gradgate.probe.session.run import Run
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched, attached, loss_of
from tests.support.steered import reports_of

GATES: dict[str, dict[str, Any]] = {
    "by the step": {"site": "output:encoder", "when": "step % 4 != 0"},
    "held": {"site": "output:encoder", "when": "step == 5", "hold": 4},
    "by the norm": {"site": "input:encoder", "when": "norm > norm_avg"},
    "flapping": {"site": "site:encoded", "when": "not closed"},
    "on a metric": {"site": "param:encoder.0.weight", "when": "loss > 1.1"},
    "scaling": {"site": "output:encoder", "when": "loss > 1.1", "action": "scale", "factor": -0.5},
    "clipping": {"site": "param:head.weight", "action": "clip", "max_norm": 0.01},
}


def train(run: Run, model: Branched, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        run.log(loss=loss)  # after the step: what the next one is decided on


def fresh(optimizer: str) -> tuple[Branched, torch.optim.Optimizer]:
    model = Branched()
    return model, OPTIMIZERS[optimizer](list(model.parameters()))


@pytest.mark.parametrize("stop", [3, 6])
@pytest.mark.parametrize("name", GATES)
def test_a_resumed_job_trains_as_one_that_went_on(name: str, stop: int) -> None:
    """Through torch.save and a new run: the same bits as without the break, at any gate."""
    model, optimizer = fresh("adamw")
    with attached(model, optimizer) as run:
        run.gate(**GATES[name])
        train(run, model, optimizer, range(1, 13))
        whole, in_whole = gating.weights(model), run.state_dict()

    model, optimizer = fresh("adamw")
    with attached(model, optimizer) as run:
        run.gate(**GATES[name])
        train(run, model, optimizer, range(1, stop + 1))
        file = io.BytesIO()
        parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**parts, "gradgate": run.state_dict()}, file)
        closed = gating.only_gate(run).closed_steps
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    model, optimizer = fresh("adamw")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    with attached(model, optimizer) as run:
        run.load_state_dict(saved["gradgate"])
        assert run.state_dict() == saved["gradgate"]
        train(run, model, optimizer, range(stop + 1, 13))
        assert gating.weights(model) == whole
        assert run.state_dict() == in_whole
        closed += gating.only_gate(run).closed_steps
        assert closed > 0
        assert gating.only_gate(run).since_step == stop


def test_gates_have_their_numbers_and_fields_again() -> None:
    """Also the paused one, and the one that the dashboard made; a new gate gets a new number."""
    model, optimizer = fresh("sgd")
    with attached(model, optimizer) as run:
        for site in ("output:encoder", "param:head.bias", "input:head"):
            run.gate(site)
        run.ungate(2)
        run.gate("site:encoded", "norm > 3", "clip", max_norm=2.0, hold=4)
        saved = run.state_dict()
        saved["gates"][1] |= {"by": "browser", "paused": True}

    with attached(*fresh("sgd")) as run:
        reports = reports_of(run)
        run.load_state_dict(saved)
        infos = run.gates()
        assert [gate.id for gate in infos] == [1, 3, 4]
        assert [gate.site for gate in infos] == ["output:encoder", "input:head", "site:encoded"]
        assert (infos[1].by, infos[1].paused, infos[0].paused) == ("browser", True, False)
        assert (infos[2].when, infos[2].max_norm, infos[2].hold) == ("norm > 3", 2.0, 4)
        assert run.gate("output:head") == 5
        assert [report.state.value for report in reports] == ["applied"] * 4


def test_a_run_that_has_gates_gets_those_of_the_state() -> None:
    """A gate of the same number is changed, others are removed; a number is not given twice."""
    with attached(*fresh("sgd")) as run:
        run.gate("output:encoder", "step > 3")
        saved = run.state_dict()
        run.gate("input:head")
        run.load_state_dict(saved)
        assert [(g.id, g.when) for g in run.gates()] == [(1, "step > 3")]
        run.ungate(1)
        run.load_state_dict(saved)
        assert [(g.id, g.when) for g in run.gates()] == [(3, "step > 3")]
        run.load_state_dict({**saved, "gates": []})
        assert run.gates() == []


def test_steps_go_on_in_a_new_run_alone() -> None:
    """A run that has made steps keeps its count; a hold lasts as long as it still had to."""
    model, optimizer = fresh("sgd")
    with attached(model, optimizer) as run:
        run.gate("output:encoder", "step == 2", hold=3)
        train(run, model, optimizer, range(1, 3))
        saved = run.state_dict()
        assert saved["step"] == 2
        train(run, model, optimizer, range(3, 11))
        run.load_state_dict(saved)
        assert run.state_dict()["step"] == 10
        closed = []
        for step in range(11, 15):
            train(run, model, optimizer, range(step, step + 1))
            closed.append(gating.only_gate(run).closed)
        assert closed == [True, True, False, False]


def test_a_state_from_before_gates_leaves_them_alone() -> None:
    """A state of version 1 holds freezes alone."""
    with attached(*fresh("sgd")) as run:
        run.gate("output:encoder")
        run.load_state_dict({"version": 1, "freezes": [], "graphless": [], "held": []})
        assert len(run.gates()) == 1


def test_a_gate_on_what_is_frozen_by_now_waits_for_a_thaw() -> None:
    """A resumed script that freezes the parameter itself is no reason to refuse its state."""
    with attached(*fresh("sgd")) as run:
        run.gate("param:head.bias")
        saved = run.state_dict()
    model, optimizer = fresh("sgd")
    model.head.bias.requires_grad_(False)
    with attached(model, optimizer) as run:
        run.load_state_dict(saved)
        train(run, model, optimizer, range(1, 7))
        assert "it is frozen" in str(gating.only_gate(run).problem)
        run.thaw("head.bias")
        train(run, model, optimizer, range(7, 8))
        assert gating.only_gate(run).closed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"site": "output:encodr"}, "names no module of this run: did you mean 'encoder'"),
        ({"when": "norm >"}, "."),
        ({"action": "clip"}, "max_norm"),
        ({"id": 0}, "not as run.state_dict"),
        ({"id": 10**9}, "not as run.state_dict"),
        ({"metrics": None}, "not as run.state_dict"),
        ({"factor": "2"}, "not as run.state_dict"),
    ],
)
def test_gates_that_do_not_fit_change_nothing(change: dict[str, Any], message: str) -> None:
    """A wrong state is refused with what is wrong about it, its freezes too."""
    model, optimizer = fresh("sgd")
    with attached(model, optimizer) as run:
        run.freeze("head")
        run.gate("output:encoder")
        saved = run.state_dict()
        saved["gates"][0] |= change
        run.thaw("head")
        run.gate("input:head")
        with pytest.raises(probe.GradgateError, match=message):
            run.load_state_dict(saved)
        assert [gate.id for gate in run.gates()] == [1, 2]
        assert model.head.weight.requires_grad
