"""Runs jobs of several processes under many random commands, each held against one by hand.

`python -m tests.support.steered_long --ranks 3 --seeds 10 --commands 3000 --job ddp`; without
`--job`, every job. It ends with 1 where a bit or a decision differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import steered_world
from .world import run_world


def main() -> None:
    """Run what is asked for, and say of each job and seed what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=300)
    parser.add_argument("--job", choices=steered_world.JOBS, action="append")
    options = parser.parse_args()
    jobs = options.job or list(steered_world.JOBS)
    names = [f"{job}#{100 + n}#{options.commands}" for job in jobs for n in range(options.seeds)]
    with tempfile.TemporaryDirectory() as folder:
        timeout = 60 + 0.1 * options.commands * len(names) * options.ranks
        notes = run_world(steered_world, options.ranks, Path(folder), names, timeout)
    wrong = 0
    for name in names:
        found = [rank[name] for rank in notes]
        same = name.startswith("fsdp") or all(x["bits"] == found[0]["bits"] for x in found)
        broken = [*found[0]["differing"], *found[0]["decisions"], *([] if same else ["ranks"])]
        wrong += bool(broken)
        print(f"{name}: {found[0]['applied']} applied, {found[0]['steps']} steps", *broken)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
