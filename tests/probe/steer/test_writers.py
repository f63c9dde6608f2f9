"""Who wrote to a frozen parameter."""

from __future__ import annotations

import torch
from torch import nn

from gradgate.probe.model.table import ParameterTable
from gradgate.probe.steer.writers import SCRIPT, UNCOUNTED, Writers


def layer() -> tuple[nn.Linear, Writers]:
    model = nn.Linear(2, 2)
    return model, Writers(ParameterTable({"": model}))


@torch.no_grad()
def test_the_first_who_wrote_since_the_freeze_is_named() -> None:
    """A later writer does not take its place, and a parameter that nobody wrote to has none."""
    model, writers = layer()
    writers.watch([0, 1])
    writers.look("nobody", 1)
    model.weight.add_(1)
    writers.look("SGD.step()", 1)
    model.weight.add_(1)
    writers.look("load_state_dict()", 1)
    assert writers.writer_of(0) == "SGD.step()"
    assert set(writers.written) == {0}
    assert writers.writer_of(1) == UNCOUNTED


@torch.no_grad()
def test_what_wrote_between_two_looks_is_not_guessed() -> None:
    """Steps in which nobody looked are told as such; the step that has just ended is the script."""
    model, writers = layer()
    writers.watch([0, 1])
    writers.look_at_boundary(3)
    model.weight.add_(1)
    writers.look_at_boundary(4)
    assert writers.writer_of(0) == SCRIPT
    model.bias.add_(1)
    writers.look("SGD.step()", 6)
    assert writers.writer_of(1) == "something between the steps 4 and 6"


@torch.no_grad()
def test_the_step_after_the_latest_look_is_known_well_enough() -> None:
    """Nobody else can have written since."""
    model, writers = layer()
    writers.watch([0])
    writers.look_at_boundary(4)
    model.weight.add_(1)
    writers.look("SGD.step()", 5)
    assert writers.writer_of(0) == "SGD.step()"


@torch.no_grad()
def test_a_freeze_begins_anew_with_nobody() -> None:
    """What was written before, and what was found to be the same bits, does not count."""
    model, writers = layer()
    writers.watch([0])
    model.weight.add_(1)
    writers.look_at_boundary(1)
    writers.watch([0])
    assert not writers.written
    model.weight.add_(1)
    writers.look_at_boundary(2)
    writers.forgive([0, 1])
    assert not writers.written
    writers.look_at_boundary(3)
    assert not writers.written


@torch.no_grad()
def test_only_what_is_frozen_is_watched() -> None:
    """Of a thaw nothing is left, so that a step reads no counter."""
    model, writers = layer()
    assert not writers.watching
    writers.watch([0, 1])
    model.weight.add_(1)
    writers.look_at_boundary(1)
    writers.keep_only({1})
    assert writers.watching
    assert not writers.written
    writers.keep_only(set())
    assert not writers.watching
