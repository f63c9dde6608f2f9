"""What the callback of Transformers does beside what every stack does."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import integration_utils

from gradgate.probe import Run, Thresholds
from gradgate.probe.integrations.transformers import GradgateCallback, register
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

from .stacks.transformers_trainer import AfterSteps, common, model, tokens

pytestmark = pytest.mark.xdist_group("transformers_trainer")


def train(
    folder: Path, *callbacks: TrainerCallback, resume: str | None = None, **more: Any
) -> None:
    """Train for six steps, of which the third is saved."""
    data = tokens()
    arguments = {**common(6, 3), **more}
    trainer = Trainer(
        model(),
        TrainingArguments(str(folder), **arguments),
        train_dataset=data,
        eval_dataset=data[:4],
        callbacks=list(callbacks),
    )
    trainer.train(resume_from_checkpoint=resume)


def test_what_the_trainer_logs_decides_gates(tmp_path: Path) -> None:
    """Its loss, its learning rate and its evaluations have the names that it gives them."""
    callback = GradgateCallback(server=False, every=1)
    closed = []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 5:
            when = "loss > 0 and learning_rate == 0.01 and eval_loss > 0"
            run.gate("output:lm_head", when=when)
        closed.extend(gate.closed for gate in run.gates())
        return False

    train(tmp_path, callback, AfterSteps(look, callback), eval_steps=2)
    assert closed == [False, True]


def test_a_compiled_training_is_frozen_as_by_hand(tmp_path: Path) -> None:
    """The Trainer compiles the model itself; names are those of the model, and no bit differs."""

    def freeze(step: int, model: nn.Module, run: Run | None) -> bool:
        if step == 2 and run is not None:
            run.freeze("model.layers.0")
        elif step == 2:
            for parameter in model.get_submodule("model.layers.0").parameters():
                parameter.requires_grad_(False)
                parameter.grad = None
        if step == 6:
            weights.append(model.state_dict())
        return False

    weights: list[dict[str, torch.Tensor]] = []
    compiled = {"torch_compile": True, "torch_compile_backend": "aot_eager"}
    callback = GradgateCallback(server=False, every=1)
    train(tmp_path / "command", callback, AfterSteps(freeze, callback), **compiled)
    train(tmp_path / "hand", AfterSteps(freeze, None), **compiled)
    commanded, by_hand = weights
    assert all(torch.equal(commanded[name], by_hand[name]) for name in by_hand)


def test_it_is_registered_as_an_integration(
    tmp_path: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``report_to="gradgate"`` of the arguments adds the callback; the run has their name."""
    monkeypatch.setattr(
        integration_utils,
        "INTEGRATION_TO_CALLBACK",
        dict(integration_utils.INTEGRATION_TO_CALLBACK),
    )
    monkeypatch.setenv("GRADGATE_SERVER", server.url)
    register()
    train(tmp_path, report_to="gradgate", run_name="reported")
    names = wait_for(lambda: [run["name"] for run in server.get("/api/runs")["runs"]])
    assert names == ["reported"]


def test_a_callback_that_is_given_twice_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first watches, the second says so, and training goes on."""
    first, second = (GradgateCallback(server=False) for _ in range(2))
    runs = []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        runs.append((first.run is not None, second.run is not None))
        return False

    train(tmp_path, first, second, AfterSteps(look, first))
    assert set(runs) == {(True, False)}
    assert caplog.text.count("is watched by another run already") == 1


def test_a_callback_watches_one_training_after_the_other(tmp_path: Path) -> None:
    """Each is a run of its own, and what was frozen in one is not in the next."""
    callback = GradgateCallback(server=False)
    runs, frozen = [], []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 1:
            frozen.append([each.name for each in run.parameters() if each.frozen])
            runs.append(run.id)
            run.freeze("lm_head")
        return False

    for each in ("first", "second"):
        train(tmp_path / each, callback, AfterSteps(look, callback))
    assert len(set(runs)) == 2
    assert frozen == [[], []]


def test_a_callback_that_the_trainer_makes_anew_says_which_options_are_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``restore_callback_states_from_checkpoint`` it has those that a checkpoint may hold."""
    monkeypatch.setenv("GRADGATE_SERVER", "http://127.0.0.1:9")
    thresholds = Thresholds()
    given = GradgateCallback(server=False, every=1, token="secret", thresholds=thresholds)
    train(tmp_path, given)
    assert "secret" not in (tmp_path / "checkpoint-3" / "trainer_state.json").read_text()
    for address in (
        "http://ada:secret@127.0.0.1:9",
        "http://127.0.0.1:9/?token=secret",
        "http://127.0.0.1:9#secret",
    ):
        assert "secret" not in json.dumps(GradgateCallback(server=address).state())
    restored = {"restore_callback_states_from_checkpoint": True}
    with caplog.at_level(logging.WARNING):
        train(
            tmp_path,
            GradgateCallback(server=False, every=1),
            resume=str(tmp_path / "checkpoint-3"),
            **restored,
        )
    assert "made GradgateCallback anew, without thresholds, token;" in caplog.text


@pytest.mark.parametrize("found", [[], {}, {"attributes": 1}, {"attributes": {"saved": [1]}}])
def test_a_checkpoint_of_something_else_is_no_error(tmp_path: Path, found: object) -> None:
    """Training is resumed, watched, with nothing frozen."""
    train(tmp_path, GradgateCallback(server=False, every=1))
    file = tmp_path / "checkpoint-3" / "trainer_state.json"
    state = json.loads(file.read_text())
    state["stateful_callbacks"]["GradgateCallback"] = found
    file.write_text(json.dumps(state))
    callback, seen = GradgateCallback(server=False, every=1), []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        seen.append((step, run is not None))
        return False

    train(tmp_path, callback, AfterSteps(look, callback), resume=str(tmp_path / "checkpoint-3"))
    assert seen == [(4, True), (5, True), (6, True)]
