"""Runs a script in several processes that form one process group, as torchrun would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist

from .forked import ForkedProcess

Scenario = Callable[[int, int], object]
ROOT = Path(__file__).parents[2]


def run_world(
    script: ModuleType, size: int, folder: Path, scenarios: Iterable[str], timeout: float = 150.0
) -> list[Any]:
    """Run `script` as ranks 0 to `size` - 1 and return what each rank noted, by scenario."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GRADGATE_STRICT": "1"}
    ranks = []
    for rank in range(size):
        command = ["-m", script.__name__, str(rank), str(size), str(folder), *scenarios]
        with (folder / f"log.{rank}").open("w") as log:
            ranks.append(
                ForkedProcess(command, log.fileno(), log.fileno(), env=environment, cwd=ROOT)
            )
    deadline = time.monotonic() + timeout
    codes: list[int] = []
    try:
        codes += [rank.wait(max(0.1, deadline - time.monotonic())) for rank in ranks]
    except subprocess.TimeoutExpired:
        pass  # the assertion below says so, with what the ranks printed
    finally:
        for process in ranks:
            process.kill()
            process.wait()
    logs = "\n".join((folder / f"log.{rank}").read_text()[-4000:] for rank in range(size))
    assert codes == [0] * size, f"exit codes {codes}:\n{logs}"
    return [json.loads((folder / f"notes.{rank}").read_text()) for rank in range(size)]


def play(scenarios: Mapping[str, Scenario]) -> None:
    """In a rank's process: join the group, play scenarios, and note what they return."""
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    store = _store(rank, size, folder)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=60)
    )
    notes = {}
    for name in sys.argv[4:]:
        torch.manual_seed(0)
        notes[name] = scenarios[name](rank, size)
        dist.barrier()
    (folder / f"notes.{rank}").write_text(json.dumps(notes))
    dist.barrier()
    dist.destroy_process_group()
    # Gloo's threads may still be talking to a rank that is gone, which aborts the interpreter.
    sys.stdout.flush()
    os._exit(0)


def _store(rank: int, size: int, folder: Path) -> Any:
    note = folder / "port"
    if rank == 0:
        store = dist.TCPStore("127.0.0.1", 0, size, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
        (folder / "port.new").write_text(str(store.port))
        (folder / "port.new").rename(note)
        return store
    while not note.exists():
        time.sleep(0.02)
    return dist.TCPStore("127.0.0.1", int(note.read_text()), size, is_master=False)  # type: ignore[attr-defined]
