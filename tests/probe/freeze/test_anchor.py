"""The anchor lets the script's own backward through where nothing is trainable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.anchor import Anchor

X = torch.ones(3, 2)


@pytest.fixture
def model() -> nn.Sequential:
    """Two layers, of which the first is frozen."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    return model


@pytest.fixture
def anchor(model: nn.Sequential) -> Iterator[Anchor]:
    """One that covers the first layer."""
    anchor = Anchor({"": model}, Guard())
    anchor.cover(model[0].parameters())
    yield anchor
    anchor.remove()


def test_only_what_carries_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """What the model returns has its own gradient; a layer called alone has none."""
    whole, alone = model(X), model[0](X)
    assert not anchor.is_all_of(whole)
    assert anchor.is_all_of(alone)
    assert alone.requires_grad
    alone.sum().backward()
    assert anchor.leaf.grad is None


def test_inside_another_module_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """The layer above would compute a gradient for its input that nobody wants."""
    inputs: list[Tensor] = []
    model[1].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    model(X)
    assert not inputs[0].requires_grad
    assert anchor.leaf.is_leaf


def test_what_was_tied_at_one_module_is_untied_at_the_next(
    model: nn.Sequential, anchor: Anchor
) -> None:
    """Where the script calls one after the other."""
    model[1].requires_grad_(False)
    anchor.cover(model.parameters())
    inputs: list[Tensor] = []
    tied = model[0](X)
    model[1].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    assert tied.requires_grad
    assert model[1](tied).requires_grad
    assert not inputs[0].requires_grad
    carries = X.clone().requires_grad_()
    model[1](carries).sum().backward()
    assert carries.grad is not None


def test_inside_a_checkpoint_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """Played again in the backward it would look outermost, and save something else."""
    tied: list[bool] = []

    def inside(value: Tensor) -> Tensor:
        frozen = model[0](value)
        tied.append(frozen.requires_grad)
        return model[1](frozen) * value

    checkpoint(inside, X.clone(), use_reentrant=False).sum().backward()
    assert set(tied) == {False}
    assert model[1].weight.grad is not None
    assert anchor.leaf.grad is None


def test_what_is_not_covered_any_more_is_not_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """The hooks go with the freeze."""
    anchor.cover([])
    assert not model[0](X).requires_grad
    assert not model[0]._forward_hooks
    anchor.cover(model[0].parameters())
    assert model[0](X).requires_grad


def test_an_interrupted_forward_is_forgotten(model: nn.Sequential, anchor: Anchor) -> None:
    """At the boundary at the latest: a call that never left leaves no depth behind."""
    handle = model[0].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model[0](X)
    handle.remove()
    anchor.reset()
    assert model[0](X).requires_grad
