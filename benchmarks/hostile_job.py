"""The job of `hostile.py`: 1,000 parameters, and how long each step took.

It prints its run's id, waits for a line on stdin, and then prints the seconds of each step.
"""

from __future__ import annotations

import argparse
import time

import torch
from latency_job import WIDTH, Deep
from torch import nn
from torch.optim import SGD

from gradgate import probe


def main() -> None:
    """Train, with a pause after each step as if data had to be loaded."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Deep()
    optimizer = SGD(model.parameters(), lr=1e-3)
    run = probe.attach(model, optimizer, name="watched", server=options.server, every=1)
    print(run.id, flush=True)
    input()
    x, wanted = torch.randn(16, WIDTH), torch.randn(16, WIDTH)
    for _ in range(options.steps):
        began = time.perf_counter()
        loss = nn.functional.mse_loss(model(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(time.perf_counter() - began, flush=True)
        time.sleep(0.05)
    run.detach()


if __name__ == "__main__":
    main()
