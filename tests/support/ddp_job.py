"""One rank of a distributed job as a user would write it, which notes every parameter's bits.

Usage: python ddp_job.py FOLDER RANK SIZE [--unused] [--no-sync]. It trains until rank 0 sees
FOLDER/stop and appends one JSON line per step to FOLDER/rankN.jsonl. The first layer is frozen
before DistributedDataParallel is built. While FOLDER/hold is there, the ranks wait together.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import time
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("rank", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("--unused", action="store_true", help="find_unused_parameters")
    parser.add_argument("--no-sync", action="store_true", help="accumulate two batches")
    options = parser.parse_args()

    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{options.folder}/rendezvous",
        rank=options.rank,
        world_size=options.size,
        timeout=timedelta(seconds=60),
    )
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)
    )
    model[0].requires_grad_(False)
    wrapped = DistributedDataParallel(model, find_unused_parameters=options.unused)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    run = probe.attach(model, optimizer, name="ranks", every=1)
    if options.rank == 0:
        (options.folder / "run").write_text(run.id)

    torch.manual_seed(options.rank + 1)
    going = torch.ones(1)
    with (options.folder / f"rank{options.rank}.jsonl").open("w", buffering=1) as notes:
        step = 0
        while going.item():
            step += 1
            optimizer.zero_grad()
            for last in (False, True) if options.no_sync else (True,):
                with contextlib.nullcontext() if last else wrapped.no_sync():
                    inputs, targets = torch.randn(8, 6), torch.randn(8, 3)
                    (wrapped(inputs) - targets).square().mean().backward()
            optimizer.step()
            bits = {n: digest(p) for n, p in model.named_parameters()}
            frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
            notes.write(json.dumps({"step": step, "digests": bits, "frozen": frozen}) + "\n")
            time.sleep(0.005)
            if options.rank == 0 and (options.folder / "stop").exists():
                going.zero_()
            distributed.broadcast(going, 0)
    run.detach()
    distributed.destroy_process_group()
    print("trained", step, "steps", flush=True)


def digest(parameter: torch.Tensor) -> str:
    return hashlib.sha1(parameter.detach().numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    main()
