"""A closed gate kept the gradient away."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradgate import probe

from .case import Case, Job, classifier, layers


class Stack(nn.Module):
    """Two layers, a labelled site between the second and the head, and a bypass of it all."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.second = nn.Linear(8, 8)
        self.bypass = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.second(torch.tanh(self.first(x))))
        h = probe.site(h, "features")  # <- gate_at_a_label
        return self.head(h + self.bypass(x))  # type: ignore[no-any-return]


def stack() -> Job:
    return classifier(Stack())


CASES = (
    Case(
        "gate_at_a_label",
        stack,
        layers("gated", "first", "second"),
        command=lambda run: run.gate("site:features"),
    ),
    Case(
        "gate_at_an_output",
        stack,
        layers("gated", "first"),
        command=lambda run: run.gate("output:first", when="step >= 0"),
    ),
    Case(
        "gate_at_an_input",
        stack,
        layers("gated", "first"),
        command=lambda run: run.gate("input:second"),
    ),
    Case(
        "gate_at_a_parameter",
        stack,
        {"second.weight": "gated"},
        command=lambda run: run.gate("param:second.weight"),
    ),
    Case(
        "gate_that_scales_by_zero",
        stack,
        layers("gated", "first", "second"),
        command=lambda run: run.gate("output:second", action="scale", factor=0.0),
    ),
)
