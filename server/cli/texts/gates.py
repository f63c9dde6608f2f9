"""Gates and their trials in words."""

from __future__ import annotations

from collections.abc import Iterator

from ...protocol.trials import ConditionFault, Trial
from ..terminal import listed, plural

_SHOWN = 10


def trial_lines(trial: Trial, when: str) -> Iterator[str]:
    """Yield how a gate would have fared, line by line."""
    closed = trial.closed
    if closed is None or not trial.samples:
        yield f"There is no history to try {when!r} on."
    else:
        samples = plural(trial.samples, "sample")
        yield f"Would have been closed in {len(closed):,} of the last {samples}."
        if closed:
            steps = [f"{step:,}" for step in reversed(closed)]
            yield f"  at steps (latest first): {listed(steps, len(steps), _SHOWN)}"
    if trial.missing:
        yield f"  no history of: {', '.join(trial.missing)}"
    for note in trial.notes:
        yield f"  ! {note}"


def fault_lines(fault: ConditionFault, when: str) -> Iterator[str]:
    """Yield a condition and a mark under the place of its fault; nothing without a place."""
    if fault.column is not None and fault.column <= len(when):
        yield f"  {when}"
        yield f"  {' ' * fault.column}^"
