"""Freezes in the user's checkpoint, and a model left as it was."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, hook_counts, reports_of, steps
from tests.support.zoo import weights


def test_a_resumed_job_has_its_freezes_back() -> None:
    """Through torch.save and a new process's objects: same modes, same held modules."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad", hold_stats=True)
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 2)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "gradgate": run.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    model, optimizer = chain()
    model.load_state_dict(saved["model"])
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head.bias")
        reports = reports_of(run)
        run.load_state_dict(saved["gradgate"])
        frozen = {info.name: info.frozen and info.frozen.mode for info in run.parameters()}
        assert frozen == {
            "stem.weight": "no_grad",
            "stem.bias": "no_grad",
            "body.0.weight": "grad",
            "body.0.bias": "grad",
            "body.1.weight": "grad",
            "body.1.bias": "grad",
            "head.weight": None,
            "head.bias": None,
        }
        before = weights(model), model.body[1].running_mean.clone()
        steps(model, optimizer, 3, 5)
        assert torch.equal(model.body[1].running_mean, before[1])
        assert {n for n, bits in weights(model).items() if bits != before[0][n]} == {
            "head.weight",
            "head.bias",
        }
        assert run.state_dict() == {**saved["gradgate"], "step": 5}
        assert {report.state.value for report in reports} == {
            "applied",
            "verified",
            "superseded",
        }


def test_a_checkpoint_lets_statistics_run_that_it_does_not_hold() -> None:
    """With nothing frozen in it, or frozen without holding the statistics."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        nothing = run.state_dict()
        run.freeze("body")
        running = run.state_dict()
        for state in (nothing, running):
            run.freeze("body", hold_stats=True)
            assert job_of(run).freezer.statistics.paths == ("body.1",)
            run.load_state_dict(state)
            assert job_of(run).freezer.statistics.paths == ()
            assert run.state_dict() == state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "no state of a Gradgate run"),
        (
            {
                "version": 1,
                "freezes": [{"parameters": ["haed.bias"], "mode": "grad", "hold_stats": False}],
                "graphless": [],
                "held": [],
            },
            "'haed.bias', which this model does not have; the nearest is 'head.bias'",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state: Any, message: str) -> None:
    """A wrong file or another model's state is refused with what is wrong about it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        with pytest.raises(probe.GradgateError, match=message):
            run.load_state_dict(state)
        assert [info.name for info in run.parameters() if info.frozen] == [
            "stem.weight",
            "stem.bias",
        ]


FREEZE = {"parameters": ["stem.weight"], "mode": "grad", "hold_stats": False}
STATE = {"version": 2, "freezes": [FREEZE], "graphless": [], "held": [], "gates": [], "step": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {key: value}
            for key in STATE
            if key not in ("gates", "step")
            for value in (None, 7, "x")
        ),
        *({"freezes": [each]} for each in (None, "x", {}, {**FREEZE, "parameters": []})),
        *({"freezes": [{**FREEZE, key: 1}]} for key in FREEZE),
        {"freezes": [{**FREEZE, "parameters": [["stem.weight"]]}]},
        {"held": [1]},
        {"gates": {}},
        {"gates": [1]},
        {"step": "1"},
        {"step": -1},
    ],
    ids=str,
)
def test_a_state_of_another_shape_is_a_sentence(wrong: dict[str, Any]) -> None:
    """Whatever is of a wrong type or not there, the same sentence says what to give."""
    model, optimizer = chain()
    missing = [{k: v for k, v in STATE.items() if k not in wrong}] if None in wrong.values() else []
    with probe.attach(model, optimizer, server=False) as run:
        for state in ({**STATE, **wrong}, *missing):
            with pytest.raises(probe.CommandError, match=r"run.state_dict\(\) returned"):
                run.load_state_dict(state)
        assert not any(info.frozen for info in run.parameters())


def test_detach_undoes_every_mechanism() -> None:
    """No hook, no held module, no flag is left."""
    model, optimizer = chain()
    hooks = hook_counts(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad")
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 3)
    assert hook_counts(model) == hooks
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_state_that_cannot_be_brought_about_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even what was brought about before its last part failed."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 3)
        run.freeze("stem")
        run.gate("output:body")
        saved = run.state_dict()
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", hold_stats=True)
        run.gate("site:x")
        before, hooks = run.state_dict(), hook_counts(model)
        registry = job_of(run).gates.registry
        applied = registry.apply

        def failing(*args: Any) -> int:
            applied(*args)
            raise RuntimeError("half done")

        with monkeypatch.context() as patch:
            patch.setattr(registry, "apply", failing)
            with pytest.raises(probe.CommandError, match=r"half done.*nothing was done"):
                run.load_state_dict(saved)
        assert run.state_dict() == before
        assert hook_counts(model) == hooks
        run.load_state_dict(saved)
        assert run.state_dict()["step"] == 3


def test_what_was_logged_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that is still on a device is what the gates of the resumed job decide on."""
    model, optimizer = chain()
    waited: list[bool] = []
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 1)
        metrics = job_of(run).measurement.metrics
        monkeypatch.setattr(metrics, "collect", lambda *, wait=False: waited.append(wait) or [])
        run.state_dict()
        assert waited == [True]
