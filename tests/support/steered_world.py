"""Scenarios of jobs under random commands, to be run in several processes."""

from __future__ import annotations

from functools import partial

from .steered_ranks import steer
from .world import play

SCENARIOS = {
    "ddp": partial(steer, commands=300, seed=1),
    "ddp, bucket views": partial(steer, commands=300, seed=2, gradient_as_bucket_view=True),
    "ddp, unused": partial(steer, commands=300, seed=3, find_unused_parameters=True),
    "fsdp": partial(steer, commands=300, seed=4, kind="fsdp"),
    "fsdp, half": partial(steer, commands=300, seed=5, kind="fsdp", half=True),
    "fsdp, unsharded": partial(steer, commands=300, seed=6, kind="fsdp", reshard=False),
}

if __name__ == "__main__":
    play(SCENARIOS)
