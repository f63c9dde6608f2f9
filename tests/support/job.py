"""A training script as a user would write it, which also notes every parameter's bits.

Usage: python job.py FOLDER [--model NAME] [--name NAME] [--patience SECONDS]. It trains until the
file FOLDER/stop is there and appends one JSON line per step to FOLDER/steps.jsonl. While
FOLDER/hold is there it waits in the middle of a step and says so by FOLDER/holding. With --patience
it takes a connection for broken over which nothing comes for so long, and makes another after a
quarter of that. Its clock is off by as many seconds as FOLDER/clock says, where that is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import torch
from torch import nn

from gradgate import probe
from gradgate.probe.link import backoff, conversation


class Small(nn.Module):
    """An encoder, a head, and a layer that no forward uses."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)
        self.unused = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


class Hostile(nn.Module):
    """Parameters whose names are markup, and very long."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("<script>alert(1)</script>", nn.Parameter(torch.ones(6)))
        self.register_parameter("long" * 100, nn.Parameter(torch.ones(6)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for parameter in self.parameters():
            x = x * parameter
        return x[:, :3]


class Empty(nn.Module):
    """Nothing to train."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :3].clone().requires_grad_()


class Detached(nn.Module):
    """A style branch that a forgotten `detach` cuts off."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.style = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
        self.head = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.encoder(x)
        style = self.style(h)
        style = style.detach()
        return self.head(torch.cat([h, style], dim=1))  # type: ignore[no-any-return]


MODELS = {"detached": Detached, "small": Small, "hostile": Hostile, "empty": Empty}


def digests(model: nn.Module) -> dict[str, str]:
    return {
        name: hashlib.sha1(p.detach().numpy().tobytes()).hexdigest()
        for name, p in model.named_parameters()
    }


def set_clock(file: Path) -> None:
    """Let the clock of this process go wrong, as a file says."""
    right = time.time
    time.time = lambda: right() + (float(file.read_text() or 0) if file.exists() else 0.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=MODELS, default="small")
    parser.add_argument("--name")
    parser.add_argument("--patience", type=float)
    options = parser.parse_args()
    if options.patience is not None:
        conversation.SILENCE = conversation.ANSWER_TIMEOUT = options.patience
        conversation.PING = backoff.LONGEST_PAUSE = options.patience / 4

    set_clock(options.folder / "clock")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = MODELS[options.model]()
    trained = list(model.parameters()) or [nn.Parameter(torch.ones(1))]
    optimizer = torch.optim.AdamW(trained, lr=0.01)
    run = probe.attach(model, optimizer, name=options.name, every=1)
    (options.folder / "run").write_text(run.id)

    with (options.folder / "steps.jsonl").open("w", buffering=1) as notes:
        step = 0
        while not (options.folder / "stop").exists():
            step += 1
            inputs, targets = torch.randn(8, 6), torch.randn(8, 3)
            optimizer.zero_grad()
            loss = (model(inputs) - targets).square().mean()
            loss.backward()
            while (options.folder / "hold").exists():
                (options.folder / "holding").touch()
                time.sleep(0.005)
            optimizer.step()
            run.log(loss=loss)
            frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
            note = {"step": step, "digests": digests(model), "frozen": frozen}
            notes.write(json.dumps(note) + "\n")
            time.sleep(0.005)  # as if data had to be loaded
    print("trained", step, "steps", flush=True)


if __name__ == "__main__":
    main()
