"""Scenarios of jobs under random commands, to be run in several processes.

`python -m tests.support.steered_long` runs them with as many commands, ranks and seeds as wanted.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .steered_ranks import steer
from .world import Scenario, play

JOBS: dict[str, dict[str, Any]] = {
    "ddp": {"seed": 1},
    "ddp, bucket views": {"seed": 2, "gradient_as_bucket_view": True},
    "ddp, unused": {"seed": 3, "find_unused_parameters": True},
    "fsdp": {"seed": 4, "kind": "fsdp"},
    "fsdp, half": {"seed": 5, "kind": "fsdp", "half": True},
    "fsdp, unsharded": {"seed": 6, "kind": "fsdp", "reshard": False},
}


class _Scenarios(dict[str, Scenario]):
    """Every job under 300 commands; ``ddp#7#1000`` is one with another seed and 1000 commands."""

    def __missing__(self, name: str) -> Scenario:
        job, seed, commands = name.split("#")
        return partial(steer, **{**JOBS[job], "seed": int(seed), "commands": int(commands)})


SCENARIOS = _Scenarios({name: partial(steer, commands=300, **job) for name, job in JOBS.items()})

if __name__ == "__main__":
    play(SCENARIOS)
