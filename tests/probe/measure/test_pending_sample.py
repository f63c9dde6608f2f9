"""A sample in the making takes in what was measured while it seemed to tell nothing new."""

from __future__ import annotations

import numpy as np
import torch

from gradgate.probe.base.states import State
from gradgate.probe.measure.pending_sample import Draft
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
