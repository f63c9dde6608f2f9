"""A live job says since which step it is not finite, and what came first."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from gradgate import probe


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")


def failure(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[int], Tensor],
    *,
    every: int = 1,
    after: Callable[[int], None] = lambda _: None,
) -> str:
    """Train until the strict run fails, and return what it says."""

    def train() -> None:
        with probe.attach(model, optimizer, server=False, every=every, expect=["*"], strict=True):
            for step in range(1, 60):
                optimizer.zero_grad()
                loss(step).backward()
                optimizer.step()
                after(step)

    with pytest.raises(probe.ExpectationError) as caught:
        train()
    return str(caught.value)


class Distances(nn.Module):
    """The length of an embedding, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(6, 4, bias=False), nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        length = self.embed(x).pow(2).sum(-1, keepdim=True).sqrt()  # <- root
        return self.head(length / 2.0)  # type: ignore[no-any-return]


class Spread(nn.Module):
    """Adds how far the features are spread, which may be not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.head = (
            nn.Linear(6, 4, bias=False),
            nn.LayerNorm(4),
            nn.Linear(4, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        spread = h.var(-1, keepdim=True) ** 0.5  # <- spread
        return self.head(self.norm(h + spread))  # type: ignore[no-any-return]


class Angles(nn.Module):
    """The angle between two embeddings, by a cosine that may be one."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(6, 4, bias=False), nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, other = F.normalize(self.embed(x), dim=-1), F.normalize(self.embed(x + 1), dim=-1)
        # At an edge of its own a clamp passes a gradient on in torch 2.13, and none in 2.15.
        cosine = (one * other).sum(-1, keepdim=True).clamp(-2, 2)
        return self.head(cosine.acos())  # type: ignore[no-any-return]  # <- angle


def line(model: type[nn.Module], text: str) -> str:
    """The place of a marked line of a model's forward."""
    lines, first = inspect.getsourcelines(model)
    (number,) = (n for n, each in enumerate(lines, first) if each.rstrip().endswith(f"# <- {text}"))
    return f"test_onset.py:{number}"


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize(
    ("model", "text"),
    [(Distances, "root"), (Spread, "spread"), (Angles, "angle")],
)
def test_the_step_and_the_operation_that_made_it_are_named(
    model: Callable[[], nn.Module], text: str, every: int
) -> None:
    """A batch whose derivative is infinite comes once, in a step that is sampled."""
    torch.manual_seed(0)
    made = model()
    good, bad = torch.randn(8, 6), torch.randn(8, 6)
    bad[:, 0] = 1.0  # whose length no kernel rounds
    bad[2] = 0.0

    def loss(step: int) -> Tensor:
        if step == 10 and isinstance(made, Angles):
            with torch.no_grad():
                made.embed.weight.zero_()
                made.embed.weight[0, 0] = 1.0
        x = bad if step == 10 else good
        return made(x).square().mean()  # type: ignore[no-any-return]

    said = failure(made, torch.optim.SGD(made.parameters(), 0.01), loss, every=every)
    assert "since step 10" in said
    assert "`embed.weight` a gradient that was not" in said
    assert "a gradient came first" in said
    assert line(model, text) in said  # type: ignore[arg-type]
    assert "linear" not in said


def test_a_batch_with_nan_is_not_laid_at_an_operation() -> None:
    """All gradients of its step were bad, and the next steps' lines only passed it on."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(8, 6)

    def loss(step: int) -> Tensor:
        return model(x.clone().fill_(math.nan) if step == 4 else x).square().mean()  # type: ignore[no-any-return]

    said = failure(model, torch.optim.Adam(model.parameters()), loss)
    assert "since step 4" in said
    assert "its data" in said
    assert "test_onset.py" not in said


def test_an_optimizer_that_divides_by_zero_is_told() -> None:
    """Every gradient was finite: Adam without an eps, at a weight whose gradient is zero."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(8, 6)

    def loss(step: int) -> Tensor:
        x[:, 0] = 0.0
        return model(x).square().mean()  # type: ignore[no-any-return]

    said = failure(model, torch.optim.Adam(model.parameters(), eps=0.0), loss)
    assert "The weights came first: `0.weight` held NaN or infinity when step 2 began" in said
    assert "every gradient of step 1 was finite" in said


@pytest.mark.parametrize(
    ("every", "known"), [(1, "every gradient of step 6"), (4, "those of step 4")]
)
def test_a_script_that_spoils_a_weight_is_told(every: int, known: str) -> None:
    """As exactly as samples tell."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(8, 6)

    def spoil(step: int) -> None:
        if step == 6:
            with torch.no_grad():
                model[2].weight.div_(0.0)

    said = failure(
        model,
        torch.optim.SGD(model.parameters(), 0.01),
        lambda _: model(x).square().mean(),
        every=every,
        after=spoil,
    )
    assert "held NaN or infinity when step" in said
    assert "`2.weight`" in said
    assert known in said


def test_a_step_whose_gradients_are_dropped_leaves_nothing() -> None:
    """A script that skips a bad batch goes on, and nothing is said."""
    torch.manual_seed(0)
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    x = torch.randn(8, 6)
    with probe.attach(model, optimizer, server=False, every=1, expect=["*"], strict=True) as run:
        for step in range(8):
            optimizer.zero_grad()
            model(x * math.nan if step == 3 else x).square().mean().backward()
            if step == 3:
                optimizer.zero_grad()
                continue
            optimizer.step()
        assert run.alerts() == []
