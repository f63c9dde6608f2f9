"""A job that is given any number of conditions, beside one that does by hand what they say."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gradgate import probe
from gradgate.probe.conditions.compiler import compile_condition
from gradgate.probe.gates.decider import AVERAGED

from .hostile_conditions import python_decides

GATES = 100
"""Gates at once, one on each parameter."""
STEPS = 3
"""Steps for which a condition decides."""


@dataclass
class Conditions:
    """What became of them."""

    made: int = 0
    refused: int = 0
    decisions: int = 0
    closed: int = 0
    faults: list[str] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    """Seconds of steps without a gate."""
    gated: list[float] = field(default_factory=list)
    """Seconds of steps with as many gates as conditions were good."""


class Wide(nn.Module):
    """Many small parameters, each with a gradient of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = nn.ParameterList(nn.Parameter(torch.randn(3)) for _ in range(GATES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one number of ``x`` [3]."""
        return torch.stack([torch.tanh(part * x).sum() for part in self.parts]).square().mean()


class _Hand:
    """What a condition decides at a parameter, worked out without the probe."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.closed = False
        self._norm_avg: float | None = None

    def decide(self, step: int, loss: float, norm: float) -> bool:
        """Return whether the gate closes to what arrives in ``step``."""
        average = norm if self._norm_avg is None else self._norm_avg
        self._norm_avg = average + (norm - average) / AVERAGED
        values: dict[str, Any] = {
            "step": step,
            "loss": loss,
            "norm": norm,
            "norm_avg": average,
            "closed": self.closed,
        }
        self.closed = bool(python_decides(self._text, values))
        return self.closed


def play(texts: Sequence[str], known: frozenset[str]) -> Conditions:
    """Give each text to a real job as a condition of a gate, `GATES` at a time.

    ``known`` are the names that have a value. A text that the language refuses has to be refused in
    words; what a good one decides, and each bit of the weights after each step, has to be as by
    hand.
    """
    found = Conditions()
    model, hand = Wide(), Wide()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    by_hand = torch.optim.AdamW(hand.parameters(), lr=0.01)
    batches = [texts[at : at + GATES] for at in range(0, len(texts), GATES)]
    generator = torch.Generator().manual_seed(1)
    step = 0
    with probe.attach(model, optimizer, server=False, every=1) as run:

        def train(hands: dict[int, tuple[int, _Hand]], seconds: list[float]) -> None:
            nonlocal step
            step += 1
            x = torch.randn(3, generator=generator)
            began = time.perf_counter()
            optimizer.zero_grad()
            loss = model(x)
            run.log(loss=loss.detach())
            loss.backward()
            optimizer.step()
            seconds.append(time.perf_counter() - began)
            by_hand.zero_grad()
            expected = hand(x)
            expected.backward()
            shut = {}
            for place, (number, one) in hands.items():
                parameter = hand.parts[place]
                norm = float(parameter.grad.norm())
                if one.decide(step, float(expected.detach()), norm):
                    parameter.grad = None
                shut[number] = one.closed
            by_hand.step()
            told = {each.id: each.closed for each in run.gates()}
            found.decisions += len(shut)
            found.closed += sum(shut.values())
            if told != shut:
                off = [number for number in shut if told.get(number) is not shut[number]]
                found.faults.append(f"step {step}: gates {off[:5]} decide otherwise than by hand")
            if any(not torch.equal(a, b) for a, b in zip(model.parts, hand.parts, strict=True)):
                found.faults.append(f"step {step}: the weights are not those of the job by hand")

        for _ in range(STEPS):
            train({}, found.bare)
        for batch in batches:
            hands: dict[int, tuple[int, _Hand]] = {}
            for place, text in enumerate(batch):
                try:
                    number = run.gate(f"param:parts.{place}", when=text)
                except probe.ConditionError as error:
                    found.refused += 1
                    if not str(error).strip() or error.column is None:
                        found.faults.append(f"{text[:80]!r} is refused with {str(error)!r}")
                    continue
                found.made += 1
                if not compile_condition(text).names <= known:
                    run.ungate(number)
                    continue
                hands[place] = (number, _Hand(text))
            for _ in range(STEPS):
                train(hands, found.gated)
            for number, _ in hands.values():
                run.ungate(number)
            train({}, found.bare)
    return found


def slowdown(found: Conditions) -> float:
    """Return how much longer a step took with gates than without, of the medians."""
    return statistics.median(found.gated) / statistics.median(found.bare)
