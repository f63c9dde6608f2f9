"""A process in which training raises: its run has failed, whether or not the library says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

BEGIN = """
import sys
from pathlib import Path

import torch
from tests.integrations.torchvision_operators import importable
importable()

def fail(run):
    Path(sys.argv[1], "run").write_text(run.id)
    raise ZeroDivisionError("the script's own")

def main():
"""
END = """

if sys.argv[2] == "caught":
    try:
        main()
    except ZeroDivisionError:
        pass
else:
    main()
"""
TRANSFORMERS = """
    from tests.integrations.stacks.transformers_trainer import AfterSteps, TransformersTrainer
    from gradgate.probe.integrations.transformers import GradgateCallback

    watching = GradgateCallback()
    callbacks = [watching, AfterSteps(lambda step, model, run: step == 2 and fail(run), watching)]
    TransformersTrainer().trainer(5, Path(sys.argv[1]), None, callbacks).train()
"""
IGNITE = """
    from ignite.engine import Engine, Events
    from gradgate.probe.integrations.ignite import GradgateHandler

    model = torch.nn.Linear(2, 2)
    handler = GradgateHandler(model, torch.optim.SGD(model.parameters()))
    trainer = Engine(lambda engine, batch: None)
    handler.attach(trainer)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: fail(handler.run))
    trainer.run([1])
"""
FASTAI = """
    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from gradgate.probe.integrations.fastai import GradgateCallback

    class Fail(Callback):
        def after_step(self):
            fail(watching.gradgate_run)

    watching = GradgateCallback()
    loader = torch.utils.data.DataLoader([(torch.ones(2), torch.ones(2))])
    model = torch.nn.Linear(2, 2)
    loss = torch.nn.MSELoss()
    Learner(DataLoaders(loader, loader), model, loss, cbs=[watching, Fail()]).fit(1)
"""
ACCELERATE = """
    from accelerate import Accelerator
    from gradgate.probe.integrations.accelerate import GradgateTracker

    tracker = GradgateTracker()
    accelerator = Accelerator(log_with=tracker, cpu=True)
    model = torch.nn.Linear(2, 2)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters()))
    accelerator.init_trackers("project")
    tracker.attach(accelerator, model, optimizer)
    fail(tracker.run)
"""
PLAIN = """
    from gradgate import probe

    model = torch.nn.Linear(2, 2)
    fail(probe.attach(model, torch.optim.SGD(model.parameters())))
"""


@pytest.mark.parametrize(
    ("training", "how"),
    [
        (TRANSFORMERS, "uncaught"),
        (IGNITE, "uncaught"),
        (IGNITE, "caught"),
        (FASTAI, "caught"),
        (ACCELERATE, "uncaught"),
        (PLAIN, "uncaught"),
    ],
)
def test_a_process_in_which_training_raised_leaves_a_run_that_failed(
    tmp_path: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch, training: str, how: str
) -> None:
    """The error and the exit code are the script's; a server hears of it at once."""
    monkeypatch.setenv("GRADGATE_SERVER", server.url)
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN + training + END, str(tmp_path), how],
        capture_output=True,
        text=True,
        timeout=170,
    )
    told = ended.stderr.splitlines()[-1:] == ["ZeroDivisionError: the script's own"]
    assert (ended.returncode, told) == ((0, False) if how == "caught" else (1, True)), ended.stderr
    path = f"/api/runs/{(tmp_path / 'run').read_text()}"
    wait_for(lambda: server.get(path)["status"] == "failed", message="the run has failed")
