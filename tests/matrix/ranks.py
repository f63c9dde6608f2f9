"""Runs rows in several processes that train together."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing

from .harness import (
    History,
    train_by_hand,
    train_plainly,
    train_untouched,
    train_watched,
)
from .row import FIRST_AT
from .rows.distributed import ROWS

PATIENCE = 120
"""Seconds for all rows of one number of processes: beyond it, something hangs."""


@dataclass
class Outcome:
    """What one rank saw of one row."""

    plain: History
    watched: History
    by_hand: History
    steered: History
    untouched: object


def train_in(world: int, folder: Path) -> dict[str, list[Outcome]]:
    """Train every row in ``world`` processes; by the row's name, the outcome of each rank."""
    ranks = multiprocessing.spawn(_rank, (world, str(folder)), nprocs=world, join=False)
    deadline = time.monotonic() + PATIENCE
    while not ranks.join(timeout=1):
        if time.monotonic() > deadline:
            for process in ranks.processes:
                process.kill()
            pytest.fail(f"{world} ranks were not done after {PATIENCE} s")
    outcomes = [pickle.loads((folder / f"rank{rank}").read_bytes()) for rank in range(world)]
    return {row.name: [outcome[row.name] for outcome in outcomes] for row in ROWS}


def _rank(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/rendezvous",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=PATIENCE),
    )
    outcomes: dict[str, Any] = {}
    for row in ROWS:
        plain = train_plainly(row)
        outcomes[row.name] = Outcome(
            plain,
            train_watched(row),
            plain if row.refusal else train_by_hand(row),
            train_watched(row, row.commands),
            train_untouched(row, FIRST_AT),
        )
    Path(folder, f"rank{rank}").write_bytes(pickle.dumps(outcomes))
    distributed.destroy_process_group()
