"""Why there are only zeros, and what is advised: it would have helped."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.diagnosis.tape import Call, Value
from gradgate.probe.diagnosis.zeros import Turn, reason_of
from tests.support.tracing import call, chain, value

X, Y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.arange(8) % 3
LABELS = torch.full((8,), -100)
NOBODY = (Y > 7).float()[:, None]


class Net(nn.Module):
    """A layer that gets zeros, by what is given for ``lose``, and one that trains."""

    def __init__(self, lose: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
        self.lose = lose

    def forward(self, x: Tensor) -> Tensor:
        return self.lose(self.layer(x))


def reason(lose: Callable[[Tensor], Tensor]) -> str:
    """What is said of a layer whose result is given to ``lose``, and goes into the loss."""
    model = Net(lose)

    def closure() -> None:
        lost = model(X).float().flatten()
        weights = torch.linspace(1, 2, len(lost))
        (F.cross_entropy(model.other(X), Y) + (lost * weights).sum()).backward()

    return told(probe.explain(model, closure), "layer.weight")


def loss_reason(lose: Callable[[Tensor], Tensor]) -> str:
    """What is said of a layer whose result ``lose`` makes the loss of."""
    model = Net(lose)
    model.other.requires_grad_(False)
    return told(probe.explain(model, lambda: model(X).backward()), "layer.weight")


def told(found: dict[str, probe.Explanation], name: str) -> str:
    assert found[name].cause == "zero_gradient"
    return f"{found[name].detail} {found[name].advice}"


@pytest.mark.parametrize(
    ("lose", "expected"),
    [
        (lambda h: h * (Y > 7)[:, None].float(), "because what comes of `gt()`"),
        (lambda h: h * NOBODY, "because what goes into it is exactly zero"),
        (lambda h: h * 0.0, "because the number that it is multiplied by is exactly zero"),
        (lambda h: h * torch.zeros(3), "Nothing was written into what `zeros()` made"),
        (lambda h: h[Y > 7], "because what it chooses is empty"),
        (lambda h: F.linear(h[Y > 7], torch.ones(2, 3)), "because what it"),
        (lambda h: (h * NOBODY).square(), "because what goes into it is exactly zero. Look where"),
        (lambda h: F.dropout(h, 1.0), "p is the share that is dropped"),
        (lambda h: torch.maximum(h, h.detach() + 9), "was always the larger"),
        (lambda h: h.clamp(7, 9), "widen them"),
        (lambda h: F.relu(h - 99).exp(), "all of it is on the side where it is flat"),
        (lambda h: torch.sigmoid(h + 200), "saturated"),
        (lambda h: (h * 1e6).softmax(-1), "The softmax is saturated"),
        (lambda h: h[:, :1].softmax(-1), "over a single element and always 1"),
        (lambda h: F.layer_norm(h[:, :1], (1,)), "over a single element"),
        (lambda h: torch.where(h < 99, h.detach(), h), "from the other branch"),
        (lambda h: torch.cat([h, h.detach()], 1)[:, 3:], "this part of it is not"),
        (lambda h: (h - h.detach()).abs(), "whose derivative is zero there"),
        (lambda h: h.half() * 1e-4 * 1e-4, "smaller than float16 can hold"),
        (lambda h: h * 1e-30 * 1e-30, "smaller than float32 can hold"),
    ],
)
def test_the_reason_is_what_the_operation_was_given(
    lose: Callable[[Tensor], Tensor], expected: str
) -> None:
    """On a branch of a network whose other branch trains."""
    assert expected in reason(lose)


@pytest.mark.parametrize(
    ("lose", "expected"),
    [
        (lambda h: F.relu(h.sum(1) - 99).mean(), "meets the margin already"),
        (lambda h: (h.sum(1) - 99).clamp(min=0).sum() / 8, "meets the margin already"),
        (lambda h: F.triplet_margin_loss(h, h, h + 99), "meets the margin already"),
        (lambda h: F.mse_loss(F.relu(h - 99), X), "use a leaky activation"),
        (lambda h: F.cross_entropy(h, LABELS), "because no label counts"),
        (lambda h: F.cross_entropy(h, LABELS, reduction="sum"), "every label is the ignore_index"),
        (lambda h: F.mse_loss(h, h.detach()), "not made from the prediction itself"),
        (lambda h: (h * 0).softmax(-1).sum(), "whose sum is always 1"),
    ],
)
def test_a_loss_may_have_nothing_left_to_learn_from(
    lose: Callable[[Tensor], Tensor], expected: str
) -> None:
    """A rectifier before a mean is a margin; before a comparison it is dead."""
    assert expected in loss_reason(lose)


def turn(made: Call, *, received: float | None = 1.0, **names: int) -> Turn:
    known = {key: name for name, key in names.items()}
    return Turn("w", made, received, frozenset(), known)


def of(name: str, *inputs: Value, custom: bool = False) -> Call:
    made = Call(0, name, chain("train.py:7"), None, None, custom=custom)
    made.inputs = list(inputs)
    return made


def zeros(leaf: int | None = None) -> Value:
    return replace(value(), size=0.0, leaf=leaf)


def test_a_zero_parameter_is_named_and_may_be_meant() -> None:
    """Through a transpose, too; its own zeros are no reason, nor is the bias of a normalisation."""
    product = of("matmul", replace(value(), size=1.0), zeros(7))
    assert "because `b` is exactly zero" in reason_of(turn(product, b=7)).why
    assert "LoRA" in reason_of(turn(product, b=7)).advice
    transposed = value(call("t"))
    transposed.flows = [zeros(7)]
    assert "`b`" in reason_of(turn(of("mm", transposed), b=7)).why
    assert reason_of(turn(product, w=7)).why == ""
    norm = of("layer_norm", value(), replace(value(), size=1.0, leaf=3), zeros(7))
    assert "`b`" not in reason_of(turn(norm, b=7)).why
    assert "`a`" in reason_of(turn(of("batch_norm", value(), zeros(3), zeros(7)), a=3, b=7)).why


def test_zeros_are_followed_to_what_made_them_of_something_else() -> None:
    """Through what is zero because of them; the advice is that of what made them."""
    rectified = replace(value(), size=0.0, made_by=call("relu", "model.py:3"))
    rectified.flows = [replace(value(), size=2.0)]
    scaled = replace(value(), size=0.0, made_by=call("mul"), flows=[rectified])
    found = reason_of(turn(of("linear", scaled, value())))
    assert found.why == ", because what comes of `relu()` at model.py:3 is exactly zero"
    assert "leaky" in found.advice


def test_a_gradient_underflows_where_its_type_is_small() -> None:
    """In float32 only where it is tiny; where the size is not known nothing is claimed."""
    half = replace(value(), dtype=torch.float16, size=1.0)
    full = replace(value(), dtype=torch.float32, size=1.0)
    assert "GradScaler" in reason_of(turn(of("linear", half), received=1e-6)).advice
    assert "float16" in reason_of(turn(of("add", full, half), received=1e-6)).why
    assert reason_of(turn(of("linear", full), received=1e-6)).why == ""
    assert "float32" in reason_of(turn(of("linear", full), received=1e-44)).why
    assert reason_of(turn(of("linear", half), received=None)).why == ""
    assert "flat" in reason_of(turn(of("relu", half), received=1e-6)).advice


def test_what_is_not_known_is_to_be_looked_at() -> None:
    """A custom function by its backward."""
    assert reason_of(turn(of("fft"))).advice.startswith("Look at what goes into it")
    assert "its backward" in reason_of(turn(of("Mine", custom=True))).advice
    assert "overwrites" in reason_of(turn(of("copy_"))).why
    nothing = of("cross_entropy", value())
    nothing.outputs = [replace(value(), size=math.nan)]
    assert "no label counts" in reason_of(turn(nothing)).why


def test_written_in_place_or_not_the_advice_is_the_same() -> None:
    """The name ends in an underscore then."""
    assert reason_of(turn(of("relu_"))) == reason_of(turn(of("relu")))
