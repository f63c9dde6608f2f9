"""Scenarios of jobs under random commands, to be run in several processes."""

from __future__ import annotations

from functools import partial

from .steered_ranks import steer
from .world import play

SCENARIOS = {
    "ddp": partial(steer, commands=300, seed=1),
    "ddp, bucket views": partial(steer, commands=300, seed=2, gradient_as_bucket_view=True),
    "ddp, unused": partial(steer, commands=300, seed=3, find_unused_parameters=True),
}

if __name__ == "__main__":
    play(SCENARIOS)
