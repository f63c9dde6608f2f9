"""The table of samples: a row a parameter and step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..protocol.states import State
from ..protocol.statistics import STORED_STATISTICS, Statistic
from ..store.database import Store
from ..store.parameter_table import parameter_names
from .columns import Batch, Coded, Column, Kind, Numbers
from .selection import Selection
from .walk import walk

COLUMNS = (
    Column("step", Kind.INTEGER),
    Column("time", Kind.REAL),
    Column("skipped", Kind.BOOLEAN),
    Column("parameter", Kind.WORD),
    Column("state", Kind.WORD),
    *(Column(name, Kind.SINGLE) for name in STORED_STATISTICS),
)
_STATES = [state.label for state in State]


def sample_batches(store: Store, chosen: Selection) -> Iterator[Batch]:
    """Read the samples; the rows of a batch are parameter by parameter, each sample by sample."""
    with store.read() as connection:
        names = parameter_names(connection, chosen.run)
    words = [names[place] for place in chosen.places]
    for part in walk(store, chosen, STORED_STATISTICS.values()):
        samples, parameters = part.states.shape
        sample = np.tile(np.arange(samples, dtype=np.int32), parameters)
        parameter = np.repeat(np.array(part.places, np.int32), samples)
        states = part.states.T.ravel()
        yield [
            Coded(sample, part.axis.steps.tolist()),
            Coded(sample, part.axis.times.tolist()),
            Coded(sample, part.axis.skipped.astype(bool).tolist()),
            Coded(parameter, words),
            Coded(states.astype(np.int32), _STATES),
            *(
                _figures(statistic, part.values[statistic].T.ravel(), states)
                for statistic in STORED_STATISTICS.values()
            ),
        ]


def _figures(
    statistic: Statistic, values: NDArray[np.float32], states: NDArray[np.uint8]
) -> Numbers:
    """Tell a NaN that was measured from what was not.

    Every sample has the norm of each gradient that is there, so that of a non-finite one may be
    NaN. The other statistics are taken of some only, and stored as NaN of the rest.
    """
    missing = np.isnan(values)
    if statistic is Statistic.GRAD_NORM:
        missing &= states != State.NONFINITE
    return Numbers(values, missing)
