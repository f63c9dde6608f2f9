"""The job of `soak.py`: it trains until it is told to stop, and keeps a ledger of its own.

    python benchmarks/soak_job.py FOLDER SECONDS

The ledger is what the folder ``ledger`` has: a line of JSON for each step, on the disk before the
next step begins, in files so small that they fit where a full disk is played. A connection over
which nothing comes is given up after so many seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import nn

from gradgate import probe
from gradgate.probe.link import conversation

STEPS_A_FILE = 50
PAUSE = 0.02
"""Seconds between two steps, as if data had to be loaded."""


class Ledger:
    """What the job did, step by step."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder

    def note(self, step: int, loss: float, frozen: list[str], gates: int) -> None:
        """Write a step, and wait until it is on the disk."""
        line = {"step": step, "at": time.time(), "loss": loss, "frozen": frozen, "gates": gates}
        with (self._folder / f"{step // STEPS_A_FILE:08d}").open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def main() -> None:
    """Train."""
    folder = Path(sys.argv[1])
    conversation.SILENCE = conversation.ANSWER_TIMEOUT = float(sys.argv[2])
    conversation.PING = conversation.SILENCE / 4
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    ledger = Ledger(folder / "ledger")
    with probe.attach(model, optimizer, name="soak", every=1) as run:
        (folder / "run").write_text(run.id)
        step = 0
        while not (folder / "stop").exists():
            step += 1
            optimizer.zero_grad()
            loss = (model(torch.randn(8, 6)) - torch.randn(8, 3)).square().mean()
            loss.backward()
            optimizer.step()
            run.log(loss=loss.item())
            frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
            ledger.note(step, loss.item(), frozen, len(run.gates()))
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
