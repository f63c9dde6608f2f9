"""Steps that a gradient scaler skips, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor
from torch.optim import Optimizer

from ..diagnosis.update_causes import NotMoving
from ..live.alerts import Alert, alert_of
from ..model.sample import Sample


class SkippedSteps:
    """Counts samples of skipped steps in a row: a source of an alert of the whole run."""

    def __init__(self, most: int) -> None:
        """``most``: so many in a row are an alert."""
        self._most = most
        self.count = 0
        """How many there were in a row, up to the latest."""
        self._since_step = 0

    def receive(self, stretch: Sequence[Sample]) -> None:
        """Take in samples; every skipped step has one, which is a stretch by itself."""
        first = stretch[0]
        if not first.skipped:
            self.count = 0
            return
        if not self.count:
            self._since_step = first.step
        self.count += 1

    def begin_step(self, optimizer: Optimizer) -> None:
        """Take in that an optimizer begins a step, sampled or not: none of before was the last.

        A fused one under a scaler may leave it out in its kernel, and a sample tells.
        """
        if not isinstance(getattr(optimizer, "found_inf", None), Tensor):
            self.count = 0

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell that no step is applied."""
        if self.count >= self._most:
            found = NotMoving.skipped(self.count, self._since_step)
            yield alert_of(found, None, None, self._since_step)
