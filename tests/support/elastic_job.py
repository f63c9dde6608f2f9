"""A job under torchrun as a user would write it, whose ranks may be killed or stopped.

Usage: python -m tests.support.elastic_job FOLDER SIZE RESTARTS. Each rank appends lines of JSON to
FOLDER/notes: its process, its steps, and how it failed. It trains until FOLDER/stop is there.
Its processes are forked from one that has imported torch, which a new one takes seconds for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe

GIVEN_UP_AFTER = 3.0
"""Seconds that the job's own collective operations wait for a rank."""


def main() -> None:
    folder, size, restarts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    standalone = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=size,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=restarts,
        # A rank that sees another's end has so long to say so before the agent ends it, too.
        monitor_interval=2.0,
        start_method="fork",
    )
    elastic_launch(standalone, train)(str(folder))


def train(folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", timeout=timedelta(seconds=GIVEN_UP_AFTER))
    rank, attempt = distributed.get_rank(), int(os.environ["TORCHELASTIC_RESTART_COUNT"])

    def note(**more: object) -> None:
        line = {"attempt": attempt, "rank": rank, "time": time.time(), **more}
        with (Path(folder) / "notes").open("a") as notes:
            notes.write(json.dumps(line) + "\n")

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    run = probe.attach(model, optimizer, name="elastic", every=1)
    note(process=os.getpid(), run=run.id)
    torch.manual_seed(rank)
    going = torch.ones(1)
    step = 0
    try:
        while going.item():
            step += 1
            optimizer.zero_grad()
            wrapped(torch.randn(8, 6)).square().mean().backward()
            optimizer.step()
            note(step=step)
            time.sleep(0.01)
            if rank == 0 and (Path(folder) / "stop").exists():
                going.zero_()
            distributed.broadcast(going, 0)
    except RuntimeError as error:
        note(failed=str(error))
        raise
    run.detach()
    note(weights=[parameter.tolist() for parameter in model.parameters()])
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
