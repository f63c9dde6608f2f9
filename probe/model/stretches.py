"""Samples in a row that have the same states, so that they are judged as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from .sample import Sample


def stretches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Yield samples in a row with the same states together.

    One that was skipped, or waits for an optimizer, is a stretch by itself.
    """
    for _, alike in groupby(samples, _likeness):
        yield list(alike)


def values_of(stretch: Sequence[Sample], code: int) -> npt.NDArray[np.float32] | None:
    """Return a statistic of the samples of a stretch, [samples, parameters]; None if one has none.

    ``code``: of the statistic.
    """
    found = [sample.values.get(code) for sample in stretch]
    there = [values for values in found if values is not None]
    return np.stack(there) if len(there) == len(found) else None


def _likeness(sample: Sample) -> object:
    """Return what is equal in samples of one stretch."""
    return id(sample) if sample.skipped or sample.waiting else 0, sample.states.tobytes()
