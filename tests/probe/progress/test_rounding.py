"""How large updates are, against what the weight's type can take up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adadelta, Adafactor, Adam, AdamW, Optimizer, RMSprop

from gradgate.probe.progress.rounding import UpdateSize, update_sizes


def update_size(
    optimizer: Optimizer, parameter: Tensor, dtype: torch.dtype, *, whole: bool = True
) -> UpdateSize | None:
    """Return the size of a step in one type."""
    group = optimizer.param_groups[0]
    return update_sizes(optimizer, group, parameter, [dtype], whole=whole).get(dtype)


def sized(make: Callable[[Any], Optimizer], values: Tensor, grad: Tensor) -> UpdateSize | None:
    """Make one step, and return its size in the weight's own type."""
    parameter = nn.Parameter(values.clone())
    optimizer = make([parameter])
    parameter.grad = grad.to(parameter.dtype)
    optimizer.step()
    return update_size(optimizer, parameter, values.dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("value", [1.0, 1.9, 300.0, -0.3])
def test_half_a_spacing_is_one(dtype: torch.dtype, value: float) -> None:
    """An update just below it is lost, and one just above it moves the weight."""
    weight = torch.tensor([value], dtype=dtype)
    spacing = float(torch.nextafter(weight.abs(), torch.tensor(float("inf"), dtype=dtype)))
    spacing -= abs(float(weight))
    for factor in (0.9, 1.1):
        # Away from zero, where a power of two has no smaller neighbour.
        grad = -weight.sign().float() * factor * spacing / 2
        measured = sized(lambda p: SGD(p, lr=1.0), weight, grad)
        assert measured is not None
        assert measured.largest == pytest.approx(factor, rel=0.02)
        assert (measured.largest < 1) == torch.equal(weight - grad.to(dtype), weight)


def test_an_optimizer_with_an_update_of_its_own_has_no_size() -> None:
    """Adafactor's ``eps`` is two numbers, and how it scales an update is not known here."""
    assert sized(lambda p: Adafactor(p), torch.ones(3, 2), torch.ones(3, 2)) is None


MAKERS: list[Callable[[Any], Optimizer]] = [
    lambda p: SGD(p, lr=1e-3, momentum=0.9),
    lambda p: SGD(p, lr=1e-3, weight_decay=0.1),
    lambda p: Adam(p, lr=1e-3),
    lambda p: AdamW(p, lr=1e-3, weight_decay=0.1),
    lambda p: RMSprop(p, lr=1e-3),
]


@pytest.mark.parametrize("make", MAKERS)
def test_it_bounds_what_a_step_really_does(make: Callable[[Any], Optimizer]) -> None:
    """In float64, where nothing is rounded away; and is no more than three times too large."""
    torch.manual_seed(0)
    values, grad = torch.rand(50, dtype=torch.float64) + 0.5, torch.randn(50, dtype=torch.float64)
    parameter = nn.Parameter(values.clone())
    optimizer = make([parameter])
    parameter.grad = grad
    optimizer.step()
    size = update_size(optimizer, parameter, torch.float32)
    assert size is not None
    _, exponent = torch.frexp(values)
    half = torch.ldexp(torch.full_like(values, 2.0**-24), exponent - 1)
    real = float(((parameter.detach() - values).abs() / half).max())
    assert real <= size.largest * 1.01
    assert size.largest <= 3 * real


def test_the_share_of_lost_elements_is_told() -> None:
    """Small weights take up what large ones do not."""
    values = torch.tensor([1.0, 1.0, 1.0, 1e-4], dtype=torch.bfloat16)
    size = sized(lambda p: SGD(p, lr=1.0), values, torch.full((4,), 1e-4))
    assert size is not None
    assert size.lost == 0.75
    assert size.largest > 1


@pytest.mark.parametrize("make", MAKERS)
def test_of_a_large_weight_a_part_tells_the_share(make: Callable[[Any], Optimizer]) -> None:
    """Within five standard errors of what all elements tell; of a small one it is the same."""
    torch.manual_seed(0)
    for shape in ((300, 200), (20, 30)):
        parameter = nn.Parameter((torch.rand(shape) * 2).exp().bfloat16())
        optimizer = make([parameter])
        parameter.grad = torch.randn(shape).exp().bfloat16()
        optimizer.step()
        whole = update_size(optimizer, parameter, torch.bfloat16)
        part = update_size(optimizer, parameter, torch.bfloat16, whole=False)
        assert whole is not None
        assert part is not None
        assert part.largest <= whole.largest
        assert part.lost == pytest.approx(whole.lost, abs=0.04 if shape == (300, 200) else 0)


def test_a_large_weight_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they show together is what the whole shows, to the bit; the last is a short one."""
    torch.manual_seed(0)
    values, grad = torch.randn(7, 13).exp().bfloat16(), torch.randn(7, 13).exp()
    whole = sized(lambda p: SGD(p, lr=0.01), values, grad)
    monkeypatch.setattr("gradgate.probe.progress.rounding.AT_ONCE", 10)
    assert sized(lambda p: SGD(p, lr=0.01), values, grad) == whole


def test_zeros_take_up_anything() -> None:
    """As a bias that begins with them, beside which floats are as close as they can be."""
    size = sized(lambda p: SGD(p, lr=0.0), torch.zeros(3), torch.ones(3))
    assert size is not None
    assert size.lost == 1
    parameter = nn.Parameter(torch.zeros(3, dtype=torch.bfloat16))
    optimizer = SGD([parameter], lr=1.0)
    parameter.grad = torch.full_like(parameter, 1e-20)
    size = update_size(optimizer, parameter, torch.bfloat16)
    assert size is not None
    assert size.lost == 0


def test_an_optimizer_of_another_kind_is_not_judged() -> None:
    """Nor a gradient that is sparse, or missing."""

    class Own(Optimizer):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, {"lr": 1.0})

        def step(self, closure: None = None) -> None:  # type: ignore[override]
            """Do nothing."""

    ones = torch.ones(3)
    assert sized(Own, ones, ones) is None
    assert sized(Adadelta, ones, ones) is None
    parameter = nn.Parameter(torch.ones(3, 1))
    optimizer = SGD([parameter], lr=1.0)
    assert update_size(optimizer, parameter, torch.float32) is None
    parameter.grad = torch.ones(3, 1).to_sparse()
    assert update_size(optimizer, parameter, torch.float32) is None
