"""The run of a training library, without one: what all integrations have in common."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.integrations.library_run import AttachOptions, LibraryRun
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

WITHIN = 60.0
"""Seconds that a loaded machine may take."""


def library_run(**options: Any) -> LibraryRun:
    """A run of a library that is there in the version that it is tried with."""
    return LibraryRun("torch", "2", {"server": False, "every": 1, **options})


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def make_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()


def test_the_options_are_those_of_attach() -> None:
    """An option of ``attach`` is one of every integration, and no other."""
    parameters = inspect.signature(probe.attach).parameters.values()
    keywords = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert keywords == set(AttachOptions.__annotations__)


def test_an_option_that_attach_does_not_have_is_refused_at_once() -> None:
    """It raises where the script makes the callback, and names the options that there are."""
    with pytest.raises(TypeError, match=r"evry=3 is no option of attach\(\).*every"):
        library_run(evry=3)


def test_a_training_is_watched_from_begin_to_end() -> None:
    """The run is there between the two, and the model is left as it was found."""
    model, optimizer = trained()
    training = library_run()
    training.begin(model, optimizer, name="given by the library")
    assert training.run is not None
    assert training.run.name == "given by the library"
    make_step(model, optimizer)
    assert {each.state for each in training.run.parameters()} == {"present"}
    training.end()
    training.end()
    assert training.run is None
    assert not model[0]._forward_pre_hooks


def test_the_name_of_the_options_goes_before_that_of_the_library() -> None:
    """What the script says is meant."""
    training = library_run(name="mine")
    training.begin(*trained(), name="the library's")
    assert training.run is not None
    assert training.run.name == "mine"
    training.end()


@pytest.mark.parametrize("optimizer", [None, []])
def test_without_an_optimizer_there_is_a_warning_and_training_goes_on(
    optimizer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence says what to do, and every later call does nothing."""
    training = library_run()
    training.begin(nn.Linear(1, 1), optimizer)
    assert "torch trains without an optimizer" in caplog.text
    training.log({"loss": 1.0})
    training.step()
    assert training.state_dict() == {}
    training.end()
    assert training.run is None


def test_a_second_use_on_the_same_model_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The first run goes on, and the second is none."""
    model, optimizer = trained()
    first, second = library_run(), library_run()
    first.begin(model, optimizer)
    second.begin(model, optimizer)
    assert second.run is None
    assert "is watched by another run already" in caplog.text
    assert "Training goes on." in caplog.text
    first.end()


def test_a_training_that_begins_before_the_last_has_ended_is_watched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As where a training raised and is tried again: the first run is ended, with a warning."""
    model, optimizer = trained()
    training = library_run()
    training.begin(model, optimizer)
    first = training.run
    training.begin(model, optimizer)
    assert training.run not in (None, first)
    assert "ended as failed" in caplog.text
    training.end()


def test_a_model_on_the_meta_device_is_watched_once_it_is_filled() -> None:
    """Where a library makes its weights late, steps are measured from then on."""
    with torch.device("meta"):
        model = nn.Linear(2, 1)
    model.to_empty(device="cpu")
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training = library_run()
    training.begin(model, optimizer)
    make_step(model, optimizer)
    assert training.run is not None
    assert {each.state for each in training.run.parameters()} == {"present"}
    training.end()


def test_what_an_optimizer_none_of_torchs_does_is_marked_by_hand() -> None:
    """A library's own optimizer makes a step, and the integration says so."""
    model, _ = trained()
    training = library_run()
    training.begin(model, object(), by_hand=True)
    model(torch.ones(1, 2)).sum().backward()
    training.step()
    assert training.run is not None
    assert {each.step for each in training.run.parameters()} == {1}
    training.end()


def test_only_numbers_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Libraries log texts and tables beside numbers; a gate can be decided by the numbers."""
    model, optimizer = trained()
    training = library_run()
    training.begin(model, optimizer)
    make_step(model, optimizer)
    training.log({"loss": torch.tensor(3.0), "table": [1], "text": "a", "epoch": 2})
    assert training.run is not None
    training.run.gate("output:0", when="loss > 2 and epoch == 2")
    make_step(model, optimizer)
    assert [gate.closed for gate in training.run.gates()] == [True]
    assert not caplog.text
    training.end()


@pytest.mark.parametrize("late", [False, True], ids=["before it begins", "while it runs"])
def test_what_was_frozen_and_gated_is_so_again(late: bool) -> None:
    """The state of a checkpoint, also one that is saved after the end, is brought about."""
    model, optimizer = trained()
    training = library_run()
    training.begin(model, optimizer)
    assert training.run is not None
    training.run.freeze("0")
    training.run.gate("output:1", when="step > 5")
    make_step(model, optimizer)
    training.end()
    assert model[0].weight.requires_grad

    resumed = library_run()
    calls: list[Callable[[], None]] = [
        lambda: resumed.load_state_dict(training.state_dict()),
        lambda: resumed.begin(model, optimizer),
    ]
    for call in reversed(calls) if late else calls:
        call()
    assert resumed.run is not None
    assert not model[0].weight.requires_grad
    assert [gate.site for gate in resumed.run.gates()] == ["output:1"]
    resumed.end()


def test_a_state_of_another_model_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence names what is not there; training goes on, and is watched."""
    model, optimizer = trained()
    training = library_run()
    training.begin(model, optimizer)
    assert training.run is not None
    training.run.freeze("1")
    training.end()

    other = nn.Sequential(nn.Linear(2, 1))
    resumed = library_run()
    resumed.load_state_dict(training.state_dict())
    resumed.begin(other, torch.optim.SGD(other.parameters(), lr=0.1))
    assert "is so no longer: the state freezes the parameter '1.weight'" in caplog.text
    assert resumed.run is not None
    resumed.end()


@pytest.mark.parametrize("state", [None, [], 3, {"version": 2, "freezes": []}])
def test_a_state_of_something_else_is_a_warning(
    caplog: pytest.LogCaptureFixture, state: Any
) -> None:
    """Training goes on, watched, with nothing frozen."""
    training = library_run()
    training.load_state_dict(state)
    training.begin(*trained())
    assert "give" in caplog.text
    assert training.run is not None
    training.end()


@pytest.mark.parametrize(("told", "status"), [(True, "failed"), (False, "finished")])
def test_a_training_that_is_gone_without_a_word_has_failed(
    server: ServerProcess, told: bool, status: str
) -> None:
    """Where the library would have told of its end; else it has just ended."""
    training = LibraryRun("torch", "2", {"server": server.url}, end_is_told=told)
    training.begin(*trained())
    assert training.run is not None
    path = f"/api/runs/{training.run.id}"
    assert training.run.flush(WITHIN)
    wait_for(lambda: server.get("/api/runs")["runs"], WITHIN, "the run is known")
    del training
    gc.collect()
    wait_for(lambda: server.get(path)["status"] == status, WITHIN, "the run has ended")


def test_a_strict_run_raises_at_the_end_what_it_expected_in_vain() -> None:
    """A library's training fails by it, as ``with attach(...)`` would."""
    model, optimizer = trained()
    training = library_run(expect=["0"], strict=True)
    training.begin(model, optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        model[1](model[0](torch.ones(1, 2)).detach()).sum().backward()
        optimizer.step()
    with pytest.raises(probe.ExpectationError, match=r"0\.weight"):
        training.end()
    assert training.run is None


def test_a_version_that_was_not_tried_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It names both versions, and the plain way; the version that was tried is none."""
    with caplog.at_level(logging.WARNING):
        LibraryRun("torch", "2", {})
        assert not caplog.text
        LibraryRun("torch", "1", {})
    assert f"this is torch {version('torch')}," in caplog.text
    assert "call probe.attach(model, optimizer) in the script" in caplog.text
