"""The norms and states of a run as a grid: parameters or modules, by stretches of steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...protocol.states import State, worst
from ...protocol.statistics import Statistic
from ...store.database import Store
from ...store.parameter_table import parameter_names
from ...store.sample_blocks import sampled_steps
from ..selection import Selection
from ..walk import walk
from .rows import grouped

COLUMNS = 160
ROWS = 72

Norms = NDArray[np.float32]
States = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of (rows, columns): the largest finite norm, NaN where there is none, and the state.

    Column `n` is of the steps from `edges[n]` on and before `edges[n + 1]`, whole steps or not. A
    column without a sample is like the one before it.
    """

    labels: list[str]
    counts: list[int]
    """How many parameters each row stands for."""
    edges: NDArray[np.float64]
    norms: Norms
    states: States
    samples: int


def read_grid(store: Store, chosen: Selection) -> Grid | None:
    """Read the samples of a selection into a grid; None when there are none."""
    with store.read() as connection:
        names = parameter_names(connection, chosen.run)
        sampled = sampled_steps(connection, chosen.run)
    if sampled is None or not chosen.places:
        return None
    edges = _edges(sampled, chosen)
    norms = np.full((len(chosen.places), len(edges) - 1), np.nan, np.float32)
    states = np.full(norms.shape, State.UNMEASURED, np.uint8)
    samples = np.zeros(len(edges) - 1, np.int64)
    for part in walk(store, chosen, [Statistic.GRAD_NORM]):
        columns = np.searchsorted(edges, part.axis.steps, side="right") - 1
        order = np.argsort(columns, kind="stable")
        touched, starts = np.unique(columns[order], return_index=True)
        if part.places.start == 0:
            samples[touched] += np.diff(np.append(starts, len(order)))
        _add(
            norms,
            states,
            part.places,
            touched,
            part.values[Statistic.GRAD_NORM][order],
            part.states[order],
            starts,
        )
    if not samples.any():
        return None
    _hold(norms, states, samples)
    labels, groups = grouped([names[place] for place in chosen.places], ROWS)
    return Grid(
        labels,
        [len(group) for group in groups],
        edges,
        np.array([np.fmax.reduce(norms[group]) for group in groups]),
        np.array([_state_of_group(states[group]) for group in groups], np.uint8),
        int(samples.sum()),
    )


def _edges(sampled: tuple[int, int], chosen: Selection) -> NDArray[np.float64]:
    first = max(sampled[0], chosen.first_step or 0)
    last = sampled[1] if chosen.last_step is None else min(sampled[1], chosen.last_step)
    return np.linspace(first, last + 1, min(COLUMNS, last + 1 - first) + 1)


def _add(
    norms: Norms,
    states: States,
    places: range,
    columns: NDArray[np.intp],
    values: Norms,
    codes: States,
    starts: NDArray[np.intp],
) -> None:
    """Add samples, sorted by their column, to the cells of some parameters."""
    cells = np.ix_(np.array(places), columns)
    finite = np.where(np.isfinite(values), values, np.float32("nan"))
    norms[cells] = np.fmax(norms[cells], np.fmax.reduceat(finite, starts).T)
    for place, column in zip(places, codes.T, strict=True):
        here = np.stack([states[place, columns], worst(column, starts)])
        states[place, columns] = _worst_of_rows(here)


def _hold(norms: Norms, states: States, samples: NDArray[np.int64]) -> None:
    """Give each column without a sample what the one before it has."""
    last = np.maximum.accumulate(np.where(samples > 0, np.arange(len(samples)), -1))
    last = np.maximum(last, 0)
    norms[:] = norms[:, last]
    states[:] = states[:, last]


def _state_of_group(states: States) -> States:
    """Return the state of several parameters as one row: the worst, but what trains before calm.

    A module in which some parameters are frozen and others train is one that trains.
    """
    trains = (states == State.PRESENT).any(axis=0)
    calm = np.isin(states, (State.FROZEN, State.GATED, State.UNMEASURED))
    return _worst_of_rows(np.where(calm & trains, State.PRESENT, states).astype(np.uint8))


def _worst_of_rows(states: States) -> States:
    """Return the worst state of each column."""
    rows = len(states)
    return worst(states.T.ravel(), np.arange(0, states.size, rows, dtype=np.intp))
