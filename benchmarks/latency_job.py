"""The job that `latency.py` watches: 1,000 parameters, and the time at which each step was made.

It prints its run's id, then `step time` for each step, and waits for a line on stdin before the
first one.
"""

from __future__ import annotations

import argparse
import random
import time

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe

LAYERS = 500
WIDTH = 8


class Deep(nn.Module):
    """500 narrow layers of two parameters each."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, 8)."""
        for layer in self.layers:
            x = x + 0.1 * torch.tanh(layer(x))
        return x


def main() -> None:
    """Train, with a pause of random length after each step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--pause", type=float, required=True)
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Deep()
    optimizer = SGD(model.parameters(), lr=1e-3)
    run = probe.attach(model, optimizer, name="latency", server=options.server, every=1)
    print(run.id, flush=True)
    input()

    x, wanted = torch.randn(16, WIDTH), torch.randn(16, WIDTH)
    for step in range(1, options.steps + 1):
        loss = nn.functional.mse_loss(model(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, time.time(), flush=True)
        time.sleep(random.uniform(0, 2 * options.pause))
    run.detach()


if __name__ == "__main__":
    main()
