"""What is recorded of a site and of the metrics in a condition, for a trial of a gate."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from ..protocol import limits
from ..protocol.states import State
from ..protocol.statistics import SHARED_OUT, Statistic
from ..protocol.trials import RecordedHistory, TrialRequest
from .buckets import History
from .metrics.values import metric_names, read_metric_before, values_between
from .parameter_table import read_table
from .runs import run_record
from .samples import read_last_steps
from .tracks import read_histories

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NO_WORD = re.compile(r"[^A-Za-z0-9_]")
# A metric of such a name has no name in conditions.
_TAKEN = frozenset({"step", "norm", "norm_avg", "closed", *(each.label for each in SHARED_OUT)})
# In these states a backward wrote a gradient that a gate would have seen.
_ARRIVED = (State.PRESENT, State.ZERO, State.NONFINITE)

Values = list[float | None]


def recorded_history(
    connection: Connection, run: str, asked: TrialRequest
) -> RecordedHistory | None:
    """Return the latest samples of a run, as far as is recorded; None before the first.

    There are fewer than were asked for when the run has fewer, when the condition mentions very
    many metrics, or when a metric has so many values between samples that reading them would take
    too long.
    """
    mentioned = _mentioned(connection, run, asked.when)
    count = min(asked.samples, limits.TRIAL_VALUES // (len(mentioned) + 1))
    steps = read_last_steps(connection, run, count)
    if not len(steps):
        return None
    values: dict[str, Values] = {}
    norm = _norm(connection, run, asked.site, steps)
    if norm is not None:
        values["norm"] = norm
    values |= _movement(connection, run, asked, steps)
    first = 0
    rows = limits.TRIAL_ROWS // max(1, len(mentioned))
    for word, names in mentioned.items():
        found, reached = read_metric_before(connection, run, names, steps, rows)
        values[word] = found
        first = max(first, reached)
    return RecordedHistory(
        steps=steps[first:].tolist(),
        values={word: column[first:] for word, column in values.items()},
    )


def _mentioned(connection: Connection, run: str, when: str) -> Mapping[str, list[str]]:
    """Return the metrics that a condition may mean, under the words that it has for them."""
    words = set(_WORD.findall(when)) - _TAKEN
    found: dict[str, list[str]] = defaultdict(list)
    if words:
        for name in metric_names(connection, run):
            plain = _NO_WORD.sub("_", name)
            # What starts with a digit has `_` before it, what the language has itself behind it.
            for word in (plain, f"_{plain}", f"{plain}_"):
                if word in words:
                    found[word].append(name)
                    break
    return found


def _norm(connection: Connection, run: str, site: str, steps: NDArray[np.int64]) -> Values | None:
    kind, _, name = site.partition(":")
    if kind == "param":
        place = _position(connection, run, name)
        return None if place is None else _parameter_norm(connection, run, place, steps)
    return _gate_norm(connection, run, site, steps)


def _position(connection: Connection, run: str, name: str) -> int | None:
    """Return the place of a parameter by any of its names."""
    return read_table(connection, run).place(name)


def _parameter_norm(
    connection: Connection, run: str, place: int, steps: NDArray[np.int64]
) -> Values:
    history: History = read_histories(
        connection, run, [place], Statistic.GRAD_NORM, *_bounds(steps)
    )[place]
    arrived = np.isin(history.states, _ARRIVED)
    by_step = dict(
        zip(history.steps[arrived].tolist(), history.values[arrived].tolist(), strict=True)
    )
    return [by_step.get(step) for step in steps.tolist()]


def _movement(
    connection: Connection, run: str, asked: TrialRequest, steps: NDArray[np.int64]
) -> dict[str, Values]:
    """Return what a condition at a parameter's site knows of its weight at each step."""
    kind, _, name = asked.site.partition(":")
    words = set(_WORD.findall(asked.when))
    wanted = [each for each in SHARED_OUT if each.label in words and kind == "param"]
    place = _position(connection, run, name) if wanted else None
    if place is None:
        return {}
    found: dict[str, Values] = {}
    for statistic in wanted:
        history = read_histories(connection, run, [place], statistic, *_bounds(steps))[place]
        looks = history.measured()
        order = np.argsort(looks.steps, kind="stable")
        # A condition knows, in a step, the look of an earlier one.
        places = np.searchsorted(looks.steps[order], steps) - 1
        values = looks.values[order].tolist()
        found[statistic.label] = [values[at] if at >= 0 else None for at in places.tolist()]
    return found


def _gate_norm(
    connection: Connection, run: str, site: str, steps: NDArray[np.int64]
) -> Values | None:
    """Return what arrived at a site, by the first of its gates whose norms are logged."""
    ids = sorted(gate["id"] for gate in run_record(connection, run).gates if gate["site"] == site)
    for number in ids:
        name = f"gate {number} norm"
        found = values_between(connection, run, name, *_bounds(steps))
        if len(found):
            norms = (norm if math.isfinite(norm) else None for norm in found.values.tolist())
            by_step = dict(zip(found.steps.tolist(), norms, strict=True))
            return [by_step.get(step) for step in steps.tolist()]
    return None


def _bounds(steps: NDArray[np.int64]) -> tuple[int, int]:
    """Return the lowest and the highest step: a job that went back has not the last at the end."""
    return int(steps.min()), int(steps.max())
