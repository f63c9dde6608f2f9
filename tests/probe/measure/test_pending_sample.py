"""A sample in the making takes in what was measured while it seemed to tell nothing new."""

from __future__ import annotations

import numpy as np
import torch

from gradgate.probe.base.states import State
from gradgate.probe.measure.pending_sample import Draft, Part
from gradgate.probe.measure.repeated_sample import Repeated
from gradgate.probe.model.sample import GRAD_NORM


def test_a_draft_goes_on_with_what_a_repeated_sample_has() -> None:
    """With states of its own, for those of the others are not to change with them."""
    repeated = Repeated(np.array([1, 1], np.uint8), slice(0, 2))
    draft = Draft(bytearray(), [])
    draft.take(repeated, {GRAD_NORM: torch.tensor([1.0, 2.0], dtype=torch.float64)})
    (part,) = draft.parts
    assert (part.statistic, part.indexes, part.usual) == (GRAD_NORM, slice(0, 2), True)
    assert draft.states == b"\1\1"
    draft.states[0] = State.FROZEN
    assert repeated.states.tolist() == [1, 1]


def test_what_an_optimizer_tries_again_is_measured_anew() -> None:
    """And what another applies stays, as what none does."""
    draft = Draft(bytearray(3), [], by_hand=[0, 2])
    for optimizer in (0, 1, None):
        part = Part(GRAD_NORM, [0], torch.ones(1, dtype=torch.float64))
        part.optimizer = optimizer
        draft.parts.append(part)
    draft.forget(2, [0, 1])
    assert [part.optimizer for part in draft.parts] == [0, 1, None]
    assert draft.by_hand == [0, 2]
    draft.forget(0, [0, 1])
    assert [part.optimizer for part in draft.parts] == [1, None]
    assert draft.by_hand == [2]
