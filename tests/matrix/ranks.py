"""Runs rows in several processes that train together."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Mapping, Sequence
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


def train_in_ranks(
    folder: Path, wanted: Mapping[int, Sequence[int]]
) -> dict[int, dict[str, list[Outcome]]]:
    """Train rows in several processes; by their number and the row's name, each rank's outcome.

    ``wanted``: the places of rows in ``ROWS``, by the number of processes, the largest first.
    """
    ranks = []
    for rank in range(max(wanted)):
        call = f"from {__name__} import train; train({rank}, {str(folder)!r}, {wanted})"
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
            ROWS[number].name: [
                pickle.loads((folder / f"{world}.{rank}.{number}").read_bytes())
                for rank in range(world)
            ]
            for number in numbers
        }
        for world, numbers in wanted.items()
    }


def train(rank: int, folder: str, wanted: Mapping[int, Sequence[int]]) -> None:
    """Be one of the ranks."""
    torch.set_num_threads(1)
    gc.freeze()  # as in tests/conftest.py: commands search the heap
    for world, numbers in wanted.items():
        if rank < world:
            _train(rank, world, Path(folder), numbers)


def _train(rank: int, world: int, folder: Path, numbers: Sequence[int]) -> None:
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/{world}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=PATIENCE),
    )
    for number in numbers:
        row = ROWS[number]
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
