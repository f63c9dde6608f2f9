"""What is expected to stay as it is, and what it does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from gradgate import probe
from gradgate.probe.live.alerts import Alert


class Model(nn.Module):
    """A backbone with statistics, and a head: 12 + 8 and 5 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(2, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.body(x)))  # type: ignore[no-any-return]


class Loop:
    """Trains the head of a model whose backbone stays, unless something is done to it."""

    def __init__(self, expected: probe.Expected, *, every: int = 1) -> None:
        torch.manual_seed(0)
        self.model = Model()
        self.model.body.requires_grad_(False)
        self.model.norm.requires_grad_(False).eval()
        self.optimizer = AdamW(self.model.parameters(), lr=0.1)
        self.run = probe.attach(
            self.model, self.optimizer, server=False, every=every, expect=expected
        )

    def step(self, times: int = 1) -> list[Alert]:
        for _ in range(times):
            self.optimizer.zero_grad()
            self.model(torch.randn(4, 2)).square().mean().backward()
            self.optimizer.step()
        return self.run.alerts()


STAYS = probe.expect(trains=["head"], frozen=["body.*", "norm"], frozen_stats=["norm"])


def test_what_stays_is_no_alert() -> None:
    """Though the optimizer holds it, and its count of writes goes up."""
    loop = Loop(STAYS)
    loop.step()
    with torch.no_grad():
        loop.model.body.weight.copy_(loop.model.body.weight.clone())
        loop.model.norm.running_mean.copy_(loop.model.norm.running_mean.clone())  # type: ignore[union-attr]
    assert loop.step(3) == []


def unfreeze(loop: Loop) -> None:
    loop.model.body.requires_grad_(True)


def leave_zeros(loop: Loop) -> None:
    """Weight decay moves what is frozen by hand and has a gradient left."""
    loop.model.body.bias.grad = torch.zeros(4)


def write(loop: Loop) -> None:
    with torch.no_grad():
        loop.model.body.bias.mul_(1.5)


def write_uncounted(loop: Loop) -> None:
    loop.model.body.bias.data.mul_(1.5)


@pytest.mark.parametrize(
    ("do", "names", "why"),
    [
        (unfreeze, ["body.weight", "body.bias"], "it requires a gradient, so it trains"),
        (leave_zeros, ["body.bias"], "its requires_grad is False, so something writes to it"),
        (write, ["body.bias"], "its requires_grad is False"),
        (write_uncounted, ["body.bias"], "its requires_grad is False"),
    ],
)
def test_a_weight_that_moves_is_told(
    do: Callable[[Loop], None], names: list[str], why: str
) -> None:
    """From the step on after which its bits are others, and for good."""
    loop = Loop(STAYS)
    loop.optimizer.zero_grad = lambda *_, **__: loop.model.head.zero_grad()  # type: ignore[assignment,method-assign]
    loop.step(2)
    do(loop)
    told = [alert for alert in loop.step(3) if alert.cause == "not_frozen"]
    assert [(alert.name, alert.since_step) for alert in told] == [(name, 3) for name in names]
    assert all(why in str(alert.detail) for alert in told)


@pytest.mark.parametrize("counted", [True, False])
def test_statistics_that_move_are_told_together(counted: bool) -> None:
    """In train mode, or written by hand: they are no parameters, so it is of the whole run."""
    loop = Loop(STAYS)
    loop.step()
    if counted:
        loop.model.norm.train()
    else:
        assert loop.model.norm.running_var is not None
        loop.model.norm.running_var.data.mul_(2)
    (alert,) = loop.step()
    assert (alert.parameter, alert.since_step, alert.cause) == (None, 2, "not_frozen")
    assert "statistics of `norm` are expected to stay" in str(alert.detail)


def test_weights_that_are_loaded_are_those_that_stay() -> None:
    """A checkpoint that is loaded after attaching is no training."""
    loop = Loop(STAYS)
    loop.step()
    loaded = copy.deepcopy(loop.model.state_dict())
    loop.model.load_state_dict({name: value + 1 for name, value in loaded.items()})
    assert loop.step(2) == []


@pytest.mark.parametrize(
    ("share", "word"), [((0.5, 1.0), "less"), ((0.0, 0.1), "more"), ((0.2, 0.2), None)]
)
def test_the_share_of_trainable_numbers(share: tuple[float, float], word: str | None) -> None:
    """Five of 25; what a command froze counts as trainable, and the alert goes when it fits."""
    loop = Loop(probe.expect(share=share))
    loop.run.freeze("head.bias")
    told = loop.step()
    if word is None:
        assert told == []
        return
    (alert,) = told
    assert alert.cause == "share"
    assert f"20.0000% of the model's numbers require a gradient, {word} than" in str(alert.detail)
    for parameter in loop.model.parameters():
        parameter.requires_grad_(word == "less")
    loop.model.head.bias.requires_grad_(True)
    assert [each.cause for each in loop.step(2)] == []


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"frozen": ["bdy"]}, probe.TargetError, "did you mean 'body'"),
        ({"frozen_stats": ["nrom"]}, probe.TargetError, "did you mean 'norm"),
        ({"frozen_stats": ["body"]}, probe.TargetError, "matches no"),
        ({"trains": ["*"], "frozen": ["body"]}, ValueError, r"trains='\*'.*frozen='body'"),
        ({"trains": ["*"], "share": (0, 0.1)}, ValueError, r"share=.* and trains=.* contradict"),
        ({"frozen": ["*"], "share": (0.1, 1)}, ValueError, r"share=.* and frozen=.* contradict"),
    ],
)
def test_what_cannot_be_expected_is_refused(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """When it is attached, before anything is done to the model."""
    model = Model()
    with pytest.raises(error, match=words):
        probe.attach(
            model, SGD(model.parameters(), lr=0.1), server=False, expect=probe.expect(**options)
        )
    assert not model._forward_pre_hooks


@pytest.mark.parametrize(
    "options",
    [
        {"trains": "head"},
        {"frozen": 3},
        {"share": 0.5},
        {"share": (0.5, 0.1)},
        {"share": (-1, 1)},
        {"share": (0.1, 0.2, 0.3)},
    ],
)
def test_an_expectation_of_the_wrong_shape_is_refused(options: dict[str, Any]) -> None:
    """It names the argument, and what is wanted."""
    (argument,) = options
    with pytest.raises(ValueError, match=rf"^{argument}=.*: give "):
        probe.expect(**options)
