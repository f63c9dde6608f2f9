"""What each action does to a gradient, and what it is refused for."""

from __future__ import annotations

import math
import re

import pytest
import torch

from gradgate.probe.base.errors import CommandError
from gradgate.probe.gates.actions import Clip, Scale, make_action


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.complex64])
def test_clip_of_few_bits(dtype: torch.dtype) -> None:
    """A norm beyond the range or the precision of its dtype is clipped right all the same."""
    grad = torch.full((40_000,), 500.0, dtype=dtype)
    clipped = Clip(1000.0).pass_on(grad)
    assert clipped is not None
    assert clipped.dtype == dtype
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert float(clipped.to(wide).norm()) == pytest.approx(1000.0, rel=4e-3)
    assert Clip(100_001.0).pass_on(grad).equal(grad)  # type: ignore[union-attr]


@pytest.mark.parametrize("action", ["scale", "clip", "clip-below", "clip-zero"])
def test_smooth_actions_have_right_gradients_of_gradients(action: str) -> None:
    """What passes is differentiable: gradcheck and gradgradcheck of the action, in float64."""
    act = {
        "scale": Scale(-1.5),
        "clip": Clip(0.5),
        "clip-below": Clip(50.0),
        "clip-zero": Clip(0.5),
    }[action]
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64).mul(0 if action == "clip-zero" else 1)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda g: act.pass_on(g), x)
    if action != "clip-zero":
        assert torch.autograd.gradgradcheck(lambda g: act.pass_on(g), x)
    (grad,) = torch.autograd.grad(act.pass_on(x).sum(), x)  # type: ignore[union-attr]
    assert grad.isfinite().all()


def test_an_overflow_is_passed_on() -> None:
    """A gradient that is not finite passes a clip as one, so that a scaler can see it."""
    for bad in (math.inf, math.nan):
        clipped = Clip(1.0).pass_on(torch.tensor([bad, 1.0]))
        assert clipped is not None
        assert not clipped.isfinite().all()
    passed = Clip(1.0).pass_on(torch.tensor([math.nan, 0.5]))
    assert passed is not None
    assert passed[1] == 0.5  # nobody knows the norm, so nothing is made less


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("stop", {}, "action 'stop' is unknown; give one of 'block', 'scale', 'clip'."),
        ("scale", {}, "action 'scale' needs factor, any number (-1 reverses)."),
        ("clip", {}, "action 'clip' needs max_norm, a number above 0."),
        ("block", {"factor": 2.0}, "factor belongs to action 'scale', not to 'block'."),
        ("clip", {"factor": 2.0, "max_norm": 1.0}, "factor belongs to action 'scale', not to"),
        ("scale", {"factor": 2.0, "max_norm": 1.0}, "max_norm belongs to action 'clip', not to"),
        ("scale", {"factor": math.inf}, "factor=inf is no finite number; give one."),
        ("clip", {"max_norm": 0.0}, "max_norm=0.0: give a finite number above 0."),
        ("clip", {"max_norm": math.inf}, "max_norm=inf: give a finite number above 0."),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(
    kind: str, options: dict[str, float], said: str
) -> None:
    """What is missing, misplaced or out of range is said, with what to give instead."""
    with pytest.raises(CommandError, match=re.escape(said)):
        make_action(kind, **options)


@pytest.mark.parametrize(
    ("kind", "options", "passed", "norm", "blocks", "zeroes"),
    [
        ("block", {}, None, 0.0, True, False),
        ("scale", {"factor": -2.0}, [-6.0, -8.0], 10.0, False, False),
        ("scale", {"factor": 0.0}, [0.0, 0.0], 0.0, False, True),
        ("clip", {"max_norm": 2.5}, [1.5, 2.0], 2.5, False, False),
        ("clip", {"max_norm": 5.0}, [3.0, 4.0], 5.0, False, False),
    ],
)
def test_what_passes(
    kind: str,
    options: dict[str, float],
    passed: list[float] | None,
    norm: float,
    blocks: bool,
    zeroes: bool,
) -> None:
    """Each action passes on what it says, and knows the norm of that without reading it."""
    action = make_action(kind, **{"factor": None, "max_norm": None, **options})
    after = action.pass_on(torch.tensor([3.0, 4.0]))
    assert (None if after is None else after.tolist()) == passed
    assert action.norm_after(5.0) == norm
    assert (action.kind, action.blocks, action.zeroes) == (kind, blocks, zeroes)
    assert (action.factor, action.max_norm) == (options.get("factor"), options.get("max_norm"))


def test_a_clip_is_to_a_norm_without_the_loss_scale() -> None:
    """A gradient that AMP has scaled is clipped to the scaled maximum, sparse or dense."""
    grad = torch.tensor([30.0, 40.0])
    for given in (grad, grad.to_sparse()):
        clipped = Clip(2.5).pass_on(given, torch.tensor([10.0]))
        assert clipped is not None
        assert clipped.to_dense().tolist() == [15.0, 20.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.complex64])
def test_a_clip_of_millions_is_to_the_norm_itself(dtype: torch.dtype) -> None:
    """Rounding does not add up with the elements: what passes has the norm in float64, too."""
    torch.manual_seed(0)
    grad = torch.randn(4_200_000, dtype=dtype)
    wide = torch.complex128 if dtype.is_complex else torch.float64
    clipped = Clip(1000.0).pass_on(grad.conj())
    assert clipped is not None
    # In 16 bits each element is rounded to the type's own spacing.
    rounding = 2e-5 if dtype is torch.float16 else 4e-6
    assert float(clipped.to(wide).norm()) == pytest.approx(1000.0, rel=rounding)
