"""Runs rows in several processes that train together."""

from __future__ import annotations

import gc
import pickle
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from tests.support.forked import ForkedProcess
from tests.support.waiting import wait_for

from .harness import (
    History,
    train_by_hand,
    train_plainly,
    train_untouched,
    train_watched,
)
from .row import FIRST_AT
from .rows.distributed import ROWS

ROOT = Path(__file__).parents[2]
WORLDS = (3, 2)
"""The numbers of processes; the processes of the first train on in the second."""
PATIENCE = 540
"""Seconds for all rows: beyond it, something hangs."""


@dataclass
class Outcome:
    """What one rank saw of one row."""

    plain: History
    watched: History
    by_hand: History
    steered: History
    untouched: object


def train_in_ranks(folder: Path) -> dict[int, dict[str, list[Outcome]]]:
    """Train every row in as many processes as ``WORLDS`` has; by it and the row's name, the
    outcome of each rank."""
    ranks = []
    for rank in range(max(WORLDS)):
        call = f"from {__name__} import train; train({rank}, {str(folder)!r})"
        with (folder / f"log.{rank}").open("w") as log:
            ranks.append(ForkedProcess(["-c", call], log.fileno(), log.fileno(), cwd=ROOT))
    try:
        wait_for(
            lambda: any(rank.poll() for rank in ranks) or all(rank.poll() == 0 for rank in ranks),
            PATIENCE,
            "the ranks are done",
        )
    finally:
        for process in ranks:
            process.kill()
    logs = "\n".join((folder / f"log.{rank}").read_text() for rank in range(len(ranks)))
    assert [process.wait() for process in ranks] == [0] * len(ranks), logs
    return {
        world: {
            row.name: [
                pickle.loads((folder / f"{world}.{rank}.{number}").read_bytes())
                for rank in range(world)
            ]
            for number, row in enumerate(ROWS)
        }
        for world in WORLDS
    }


def train(rank: int, folder: str) -> None:
    """Be one of the ranks."""
    torch.set_num_threads(1)
    gc.freeze()  # as in tests/conftest.py: commands search the heap
    for world in WORLDS:
        if rank < world:
            _train(rank, world, Path(folder))


def _train(rank: int, world: int, folder: Path) -> None:
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/{world}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=PATIENCE),
    )
    for number, row in enumerate(ROWS):
        plain = train_plainly(row)
        outcome = Outcome(
            plain,
            train_watched(row),
            plain if row.refusal else train_by_hand(row),
            train_watched(row, row.commands),
            train_untouched(row, FIRST_AT),
        )
        (folder / f"{world}.{rank}.{number}").write_bytes(pickle.dumps(outcome))
    distributed.destroy_process_group()
