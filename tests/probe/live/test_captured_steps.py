"""Steps of which a CUDA graph is captured, on a machine that only says that it captures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from gradgate import probe
from gradgate.probe.model.commands import Report
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat import readback

HERE = __name__.rpartition(".")[2]
X = torch.ones(1, 2)


@contextmanager
def capture() -> Iterator[None]:
    """Let torch say that the current stream is being captured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readback, "_HAS_GRAPHS", True)
        patch.setattr(torch.cuda, "is_initialized", lambda: True)
        patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        yield


def step(model: nn.Module, optimizer: Optimizer) -> None:
    model(X).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def test_a_captured_step_is_none_of_the_runs_and_is_told(model: nn.Sequential) -> None:
    """With the line of its step, as a note; what is asked for then waits and says why, until a
    step is made again."""
    optimizer = SGD(model.parameters(), lr=0.1)
    reports: list[Report] = []
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job_of(run).reports.add_listener(reports.append)
        step(model, optimizer)
        with capture():
            step(model, optimizer)
        assert job_of(run).state.step == 1
        (note,) = run.notes()
        assert (note.cause, note.parameter) == ("no_step", None)
        line = inspect.getsourcelines(step)[1] + 2
        assert note.where is not None
        assert note.where.endswith(f"{HERE}.py:{line}")
        assert f"{HERE}.py:{line} was captured in a CUDA graph" in (note.detail or "")
        run.freeze("0")
        assert [(r.state.value, r.detail) for r in reports] == [("delivered", note.detail)]
        assert model[0].weight.requires_grad
        step(model, optimizer)
        assert run.notes() == []
        assert not model[0].weight.requires_grad
        assert job_of(run).state.step == 2


def test_nothing_is_read_while_a_graph_is_captured(
    model: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for a look at a step, not for a trace that was asked for, and not for a condition."""
    optimizer = SGD(model.parameters(), lr=0.0)  # so that steps are looked at closely, too
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(20):
            step(model, optimizer)
        gate = run.gate("output:0", "norm > 0")
        run.explain()
        with capture(), monkeypatch.context() as patch:
            for name in ("tolist", "item", "cpu", "numpy", "__bool__", "__float__"):
                patch.setattr(torch.Tensor, name, None)
            step(model, optimizer)
        (info,) = run.gates()
        assert info.id == gate
        assert "while a CUDA graph is captured" in (info.problem or "")
        assert run.explanations() == {}
        for _ in range(2):  # at the end of the first the trace begins
            step(model, optimizer)
        assert run.explanations() != {}


def test_what_is_frozen_is_kept_from_a_captured_step(model: nn.Sequential) -> None:
    """A gradient that the script assigns by hand is not in what will be replayed."""
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        step(model, optimizer)
        run.freeze("0.weight")
        before = model[0].weight.detach().clone()
        with capture():
            model(X).sum().backward()
            model[0].weight.grad = torch.ones_like(before)
            optimizer.step()
        assert before.equal(model[0].weight)
