"""The second of two processes that train together: it takes the same turns as the first.

python benchmarks/two_ranks.py RENDEZVOUS SERVER ROUNDS THREADS
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

TWO_PROCESSES = "ddp"
"""The case that two processes train."""
PATIENCE = timedelta(seconds=120)
"""How long one waits for the other."""


@contextmanager
def second_rank(server: str, rounds: int, threads: int | None) -> Iterator[None]:
    """Join a process group of two, whose second process does as many rounds."""
    with tempfile.TemporaryDirectory(prefix="gradgate-") as folder:
        rendezvous = str(Path(folder, "rendezvous"))
        command = [sys.executable, __file__, rendezvous, server, str(rounds), str(threads or 0)]
        with subprocess.Popen(command) as other:
            join(rendezvous, 0)
            try:
                yield
            except BaseException:
                other.kill()
                raise
            finally:
                distributed.destroy_process_group()
        if other.returncode:
            raise RuntimeError(f"the second process ended with exit code {other.returncode}")


def join(rendezvous: str, rank: int) -> None:
    """Join the process group."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2, timeout=PATIENCE
    )


def main() -> None:
    """Take the turns of the first process."""
    from cases import CASES
    from probe_cost import measure
    from watchers import BareAgain, Default, Probe

    rendezvous, server, rounds, threads = sys.argv[1:]
    if int(threads):
        torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    join(rendezvous, 1)
    watchers = [BareAgain(), Probe(server), Default(server)]
    measure(CASES[TWO_PROCESSES](), watchers, int(rounds))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
