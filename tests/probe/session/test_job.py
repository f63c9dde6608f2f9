"""The end of a job, and what keeps it alive until then."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.session.job import close_at_exit
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat import function_modes
from tests.support.forked import run_python
from tests.support.steered import chain, hook_counts, one_step, plain, steps


@pytest.mark.parametrize(
    "part", ["explainer", "steering", "previews", "boundaries", "model_hooks", "measurement"]
)
def test_a_part_that_cannot_be_ended_keeps_no_other_from_its_end(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """What was frozen is given back, and the server hears of the end."""
    monkeypatch.delenv("GRADGATE_STRICT")
    closed: list[Any] = []
    monkeypatch.setattr(Uplink, "close", lambda *_, failed: closed.append(failed))
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False, every=1)
    job = job_of(run)
    run.freeze("head")
    run.gate("param:stem.bias")
    steps(model, optimizer, 1, 1)

    def broken() -> None:
        raise AttributeError("no end")

    broken_part = getattr(job, part)
    name = "stop" if part in ("explainer", "steering", "previews") else "remove"
    monkeypatch.setattr(broken_part, name, broken)
    run.detach()
    assert closed == [False]
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert run.gates() == []
    assert job.guard.faults == 2  # for it is tried once more


@pytest.mark.parametrize("failed", [False, True])
def test_a_run_ends_once_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, failed: bool) -> None:
    """Hooks, wrappers and flags are as they were before, and the server hears of one end, and
    whether it is that of a failure."""
    closed: list[bool] = []
    monkeypatch.setattr(Uplink, "close", lambda *_, failed: closed.append(failed))
    model, optimizer = chain(SGD)
    before, zero_grad = hook_counts(model), optimizer.zero_grad
    run = probe.attach(model, optimizer, server=False, every=1)
    run.freeze("head", hold_stats=True)
    run.gate("output:body")
    steps(model, optimizer, 1, 2)
    run.detach(failed=failed)
    run.detach()
    assert closed == [failed]
    assert hook_counts(model) == before
    assert optimizer.zero_grad == zero_grad
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (SystemExit(0), False),
        (SystemExit(), False),
        (SystemExit(3), True),
        (SystemExit("no data"), True),
        (KeyboardInterrupt(), True),
    ],
    ids=repr,
)
def test_what_leaves_a_run_as_a_context_says_whether_it_failed(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, failed: bool
) -> None:
    """A script may end well by ``sys.exit(0)`` inside of it."""
    closed: list[bool] = []
    monkeypatch.setattr(Uplink, "close", lambda *_, failed: closed.append(failed))
    model, optimizer = chain(SGD)
    with pytest.raises(type(error)), probe.attach(model, optimizer, server=False):
        raise error
    assert closed == [failed]


def test_a_run_that_nobody_holds_lives_as_long_as_its_model() -> None:
    """So a script may drop what attach returned, and still says goodbye at its end."""
    model, optimizer = chain(SGD)
    delivery = weakref.ref(job_of(probe.attach(model, optimizer, server=False)).delivery)
    gc.collect()
    assert delivery() is not None
    del model, optimizer
    gc.collect()
    assert delivery() is None


def test_the_end_of_the_program_closes_what_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And says whether it ends by an error, which one in a cell is not, or in a training."""
    closed: list[bool] = []
    monkeypatch.setattr(Uplink, "close", lambda *_, failed: closed.append(failed))
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False)
    delivery = job_of(run).delivery
    hook = close_at_exit(delivery, Guard(), interactive=False)
    hook()
    monkeypatch.setattr("sys.last_value", ValueError("uncaught"), raising=False)
    hook()
    close_at_exit(delivery, Guard(), interactive=True)()
    job_of(run).uplink.await_goodbye()
    close_at_exit(delivery, Guard(), interactive=True)()
    assert closed == [False, True, False, True]
    run.detach()
    del run, model, optimizer, delivery
    gc.collect()
    hook()
    assert closed == [False, True, False, True, False]


NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there."""


def test_a_run_whose_model_is_gone_lets_everything_go() -> None:
    """Attached, never detached, dropped: model, run and thread do not stay behind."""
    before = set(threading.enumerate())
    model, optimizer = plain()
    run = probe.attach(model, optimizer, server=NOBODY, every=1)
    one_step(model, optimizer)
    run.log(loss=1.0)
    one_step(model, optimizer)
    ghosts = [weakref.ref(model), weakref.ref(run)]
    (link,) = set(threading.enumerate()) - before
    del model, optimizer, run
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]
    link.join(20)
    assert not link.is_alive()


@pytest.mark.parametrize("ending", ["return", "raise", "sys.exit(3)", "os.fork"])
def test_a_job_ends_as_it_would_without_the_probe(ending: str) -> None:
    """With nobody to talk to, each way to end gives its own exit code, promptly."""
    script = f"""
import os, sys, torch
from gradgate import probe
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = probe.attach(model, optimizer, server={NOBODY!r})
for _ in range(3):
    optimizer.zero_grad(); model(torch.ones(1, 2)).sum().backward(); optimizer.step()
if {ending!r} == "raise":
    raise RuntimeError("the script's own")
if {ending!r} == "os.fork" and os.fork() == 0:
    with run:
        optimizer.step()
    sys.exit(0)
if {ending!r} == "os.fork":
    _, status = os.wait()
    assert status == 0 and model.weight.requires_grad
    optimizer.step()
if "exit" in {ending!r}:
    sys.exit(3)
"""
    job = run_python("-c", script, timeout=60)
    expected = {"return": 0, "raise": 1, "sys.exit(3)": 3, "os.fork": 0}[ending]
    assert job.returncode == expected, job.stderr
    assert job.stderr.count("Traceback") == (ending == "raise")


def test_a_gradient_that_the_script_drops_is_freed_at_once() -> None:
    """Whatever is looked at and traced: no part of a run holds on to it until the next forward."""
    model, optimizer = chain(SGD)
    gc.disable()
    try:
        with probe.attach(model, optimizer, server=False, every=1) as run:
            for step in range(1, 20):
                if step == 10:
                    run.explain()
                steps(model, optimizer, step, step)
                grads = [weakref.ref(each.grad) for each in model.parameters()]  # type: ignore[arg-type]
                optimizer.zero_grad()
                assert not any(grad() is not None for grad in grads)
    finally:
        gc.enable()


def test_a_run_that_is_dropped_while_it_traces_lets_everything_go() -> None:
    """Torch's stack of modes, and what listens to its functions, keeps none of it alive; the
    collector's thresholds and compiled functions are as they were."""
    thresholds = gc.get_threshold()
    model, optimizer = plain()
    run = probe.attach(model, optimizer, server=False, every=1)
    run.explain()
    one_step(model, optimizer)
    run.explain()
    assert function_modes.depth() == 1
    assert gc.get_threshold() != thresholds
    ghosts = [weakref.ref(model), weakref.ref(run)]
    del model, optimizer, run
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]
    assert function_modes.depth() == 0
    assert gc.get_threshold() == thresholds
    assert nn.Parameter(torch.from_numpy(np.ones(2))).requires_grad


def test_an_interrupted_end_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the midst of it comes to the script once all is undone, and not before."""
    model, optimizer = chain(SGD)
    before = hook_counts(model)
    run = probe.attach(model, optimizer, server=False, every=1)
    run.freeze("head")
    run.gate("param:stem.bias")
    steps(model, optimizer, 1, 1)
    remove = type(job_of(run).boundaries).remove
    interrupts = [1]

    def interrupted(boundaries: Any) -> None:
        if interrupts:
            interrupts.pop()
            raise KeyboardInterrupt
        remove(boundaries)

    monkeypatch.setattr(type(job_of(run).boundaries), "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.detach()
    assert hook_counts(model) == before
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert "zero_grad" not in vars(optimizer)
    assert not optimizer._optimizer_step_pre_hooks
