"""All that is to be seen on an accelerator, in one command: waits, bits and costs.

    python benchmarks/accelerator.py [--rounds N] [--steps N] [--only waits|matrix|cost]

*waits*: a job is watched while every synchronisation of the training stream raises
(``torch.cuda.set_sync_debug_mode("error")``), from the forward to ``zero_grad``.
*matrix*: each row of ``tests/matrix`` on the device, bit for bit, but for those of several
processes. *cost*: ``benchmarks/probe_cost.py`` on the device.

The exit code is 0 if all is as it ought to be, 1 if something is not, 2 without a device.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from cases import CASES, Case
from dashboard import dashboard
from torch.optim import AdamW

from gradgate import probe

FOLDER = Path(__file__).parent
COSTS = ("gpt-large", "small", "compiled")
"""The cases that are timed on the device."""
WATCHED = ("gpt", "resnet", "small")
"""The cases in which waits are looked for."""


def main() -> int:
    """Do what was asked for, and say what became of each."""
    options = parse()
    if not torch.cuda.is_available():
        print("torch sees no CUDA or ROCm device here: run this on a machine that has one.")
        return 2
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    parts: dict[str, Callable[[], bool]] = {
        "waits": lambda: find_waits(options.steps),
        "matrix": run_matrix,
        "cost": lambda: time_costs(options.rounds),
    }
    done = {name: part() for name, part in parts.items() if options.only in (None, name)}
    for name, well in done.items():
        print(f"{name}: {'as it ought to be' if well else 'FAILED, see above'}")
    return 0 if all(done.values()) else 1


def find_waits(steps: int) -> bool:
    """Watch each case while waits raise; return whether there was none."""
    os.environ["GRADGATE_STRICT"] = "1"  # the probe's own errors are raised, and not counted
    torch.set_default_device("cuda")
    with dashboard() as server:
        waits = [
            f"{name}, every={every}: {wait}"
            for name in WATCHED
            for every in (1, None)
            if (wait := first_wait(CASES[name](), server.url, every, steps)) is not None
        ]
    torch.set_default_device("cpu")
    print("\n".join(waits) or f"no wait in {steps} steps of {', '.join(WATCHED)}")
    return not waits


def first_wait(case: Case, server: str, every: int | None, steps: int) -> str | None:
    """Train a watched model; return what waited for the device in a step, or None."""
    try:
        watch(case, server, every, steps)
    except RuntimeError as error:
        return str(error)
    return None


def watch(case: Case, server: str, every: int | None, steps: int) -> None:
    """Train a watched model; raise RuntimeError where anything in a step waits for the device."""
    optimizer = AdamW(case.model.parameters(), lr=1e-4)
    with probe.attach(case.model, optimizer, name=case.name, server=server, every=every) as run:
        for _ in range(steps):
            torch.cuda.set_sync_debug_mode("error")
            try:
                loss = case.loss()
                loss.backward()
                optimizer.step()
                run.log(loss=loss.detach())
                optimizer.zero_grad()
            finally:
                torch.cuda.set_sync_debug_mode("default")


def run_matrix() -> bool:
    """Train every row of the matrix on the device; return whether all bits were right."""
    command = [sys.executable, "-m", "pytest", "tests/matrix/test_matrix.py", "-q"]
    environment = {**os.environ, "GRADGATE_MATRIX_DEVICE": "cuda"}
    environment |= {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # the same bits twice
    return subprocess.run(command, cwd=FOLDER.parent, env=environment, check=False).returncode == 0


def time_costs(rounds: int) -> bool:
    """Time the cases on the device; return whether all ended well."""
    command = [sys.executable, str(FOLDER / "probe_cost.py"), "--device", "cuda"]
    command += ["--without-peers", "--without-movement", "--rounds", str(rounds)]
    command += [word for case in COSTS for word in ("--case", case)]
    return subprocess.run(command, check=False).returncode == 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Check the probe on an accelerator.")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: 7")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--only", choices=["waits", "matrix", "cost"], help="default: all three")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
