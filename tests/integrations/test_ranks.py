"""A Trainer on two processes: DistributedDataParallel around the model, one callback on each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from .rank import FROZEN

RANK = Path(__file__).with_name("rank.py")


def test_two_ranks_are_steered_alike(tmp_path: Path) -> None:
    """Frozen, thawed and gated on both, their weights stay equal, bit for bit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(RANK), str(tmp_path / str(rank))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                **world,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "PYTHONPATH": str(RANK.parents[2]),
            },
        )
        for rank in range(2)
    ]
    one, other = (result(rank) for rank in ranks)
    assert one["wrapped"] == "DistributedDataParallel"
    assert one["digests"] == other["digests"]
    frozen = [name for name in one["digests"][0] if name.startswith(FROZEN)]
    at = one["digests"]
    assert frozen
    assert all(at[2][name] == at[4][name] for name in frozen)
    assert all(at[4][name] != at[7][name] for name in frozen)


def result(rank: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a rank printed at its end."""
    try:
        output, _ = rank.communicate(timeout=150)
    finally:
        rank.kill()
    assert rank.returncode == 0, output
    (line,) = (line for line in output.splitlines() if line.startswith("RESULT "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return found
