"""When a job traces a step by itself, and when it samples one out of turn to be sure."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import nn

from ..model.sample import Sample
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import is_supported
from ..torch_compat.wrappers import Wrappers
from .missing import MissingGradients

PAUSE = 30.0
"""Seconds from one trace that the job makes by itself to the next, at least."""
MOST_DOUBTS = 10
"""Steps that are sampled out of turn, one after the other."""
FUSED = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""In eval mode and without gradients they take a fused path, which any torch function mode turns
off: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html"""


class TraceSchedule:
    """Follows the samples, and tells whether the coming step is to be traced unasked."""

    def __init__(
        self, models: Mapping[str, nn.Module], wrappers: Wrappers, *, strict: bool
    ) -> None:
        """``strict``: a broken expectation fails the job, once its cause is known."""
        self._models = models
        self._wrappers = wrappers
        self._strict = strict
        self._missing = MissingGradients()
        self._expectation_broken = False
        self._looked_at = -PAUSE
        """When a step was last traced, or the need for that dismissed."""
        self._doubts = 0
        """Steps that were sampled out of turn."""

    def receive(self, sample: Sample, *, expectation_broken: bool) -> None:
        """Take in a sample; ``expectation_broken``: by this one a parameter became an alert."""
        self._missing.receive(sample)
        self._expectation_broken |= expectation_broken

    def begin_trace(self) -> None:
        """Start the pause: the coming step is traced."""
        self._expectation_broken = False
        self._looked_at = time.monotonic()

    def mark_explained(self) -> None:
        """Take what is missing now as explained."""
        self._missing.mark_explained()

    def wants_trace(self) -> bool:
        """Return whether to trace the coming step, though nobody asked."""
        doubtful = self._missing.doubtful and self._pause_is_over
        overdue = doubtful and len(self._missing.overdue()) > 0
        if not (self._expectation_broken or overdue) or not is_supported(EXPLAINING):
            return False
        # It takes long, so it is asked last. A job about to fail may well compute otherwise.
        fails = self._expectation_broken and self._strict
        if not fails and trace_changes_figures(self._models, self._wrappers):
            self._expectation_broken, self._looked_at = False, time.monotonic()
            return False
        return True

    def wants_sample(self) -> bool:
        """Return whether to sample the coming step, to see if a gradient stays away."""
        if not (self._missing.doubtful and self._pause_is_over):
            self._doubts = 0
            return False
        self._doubts += 1
        if self._doubts > MOST_DOUBTS:  # it comes and goes
            self._doubts, self._looked_at = 0, time.monotonic()
        return True

    @property
    def _pause_is_over(self) -> bool:
        """Return whether the pause since the last look is over."""
        return time.monotonic() - self._looked_at >= PAUSE


def trace_changes_figures(models: Mapping[str, nn.Module], wrappers: Wrappers) -> bool:
    """Return whether a trace, which nobody may have asked for, would change what a step computes.

    A compiled model runs eagerly then, with other last bits; a fused path gives zeros at padded
    positions, where the ordinary one does not.
    """
    modules = (module for model in models.values() for module in model.modules())
    if any(isinstance(module, FUSED) and not module.training for module in modules):
        return True
    return wrappers.is_compiled()
