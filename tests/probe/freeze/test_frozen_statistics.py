"""Running statistics held by a freeze."""

from __future__ import annotations

import copy

import pytest
import torch

from gradgate import probe
from tests.support.steered import chain, steps
from tests.support.zoo import batch, weights


@pytest.mark.parametrize("target", ["body", "body.*", "body.1", "body.1.weight"])
def test_held_statistics_stand_still_whatever_train_says(target: str) -> None:
    """Buffers are bitwise unchanged and the output is that of eval mode, until the thaw."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 1)
        run.freeze(target, hold_stats=True)
        before = copy.deepcopy(dict(model.named_buffers()))
        for step in range(2, 5):
            model.train()
            steps(model, optimizer, step, step)
        assert all(torch.equal(before[name], value) for name, value in model.named_buffers())
        assert model.body[1].training
        run.thaw(target)
        steps(model, optimizer, 5, 5)
        assert not torch.equal(before["body.1.running_mean"], model.body[1].running_mean)


def test_held_statistics_equal_eval_by_hand() -> None:
    """The rest trains bitwise as with a BatchNorm put in eval mode by hand."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 4)

    reference, by_hand = chain()
    reference.body.requires_grad_(False)
    reference.body[1].eval()
    steps(reference, by_hand, 1, 4)
    assert weights(model) == weights(reference)


def test_an_interrupted_forward_gives_training_back() -> None:
    """Ctrl-C inside a held module leaves it in train mode, as the script had it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("body", hold_stats=True)
        handle = model.body[1].register_forward_pre_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(batch(1)[0])
        handle.remove()
    assert model.body[1].training


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
