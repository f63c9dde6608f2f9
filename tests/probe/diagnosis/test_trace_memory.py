"""What a trace holds on to: no activations of dropped graphs, and no graph too deep to be freed."""

from __future__ import annotations

import subprocess
import sys
import weakref

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe

DEEP = """
import torch
from gradgate import probe

weight = torch.nn.Linear(1, 1, bias=False)

def step():
    x = weight(torch.ones(1))
    for _ in range(60_000):
        x = x * 1.0
    x.detach().requires_grad_().sum().backward()

print(probe.explain(weight, step)["weight"].cause)
"""


class Saved:
    """What a graph keeps of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")


def test_a_graph_that_is_dropped_in_the_step_lets_go_of_its_activations() -> None:
    """An evaluation without ``no_grad`` inside of a traced step needs no more memory than else."""
    model = nn.Linear(4, 4)
    kept: list[weakref.ref[Saved]] = []

    def pack(tensor: Tensor) -> Saved:
        saved = Saved(tensor)
        kept.append(weakref.ref(saved))
        return saved

    def closure() -> None:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
            model(torch.ones(3, 4)).cos().sum()
        assert kept
        assert all(saved() is None for saved in kept)
        model(torch.ones(3, 4)).sum().backward()

    assert probe.explain(model, closure) == {}


def test_a_graph_of_any_depth_is_freed() -> None:
    """torch takes the whole stack to free 50,000 nodes in a row that Python has looked at."""
    done = subprocess.run(
        [sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "unknown"), done.stderr
