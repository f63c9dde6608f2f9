"""What the server is told of the optimizers' groups."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..base.wire_text import wire_text
from .groups import Group, Groups

PAUSE = 2.0
"""Seconds between two looks: a schedule changes the rates in each step, and samples may be many."""
OF_THE_CODE = ("params", "foreach", "fused", "capturable", "differentiable", "initial_lr")
"""Options of how a step is computed, and not of what it does."""

MOST_OPTIONS = 100
"""Options of a group that are told, at most."""
MOST_NUMBERS = 16
"""Numbers of an option that is a list of them; a longer one is not told."""
LONGEST_OPTION = 512
"""Characters of an option's name, at most."""

Message = dict[str, Any]


class ToldGroups:
    """Sends an account of every group when one has changed, as a sample is taken in."""

    def __init__(
        self,
        groups: Groups,
        send: Callable[[int, list[Message]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``send`` takes the step that applied these groups, and what is told of each."""
        self._groups = groups
        self._send = send
        self._clock = clock
        self._told: list[Message] | None = None
        self._not_before = -math.inf

    def tell(self, step: int) -> None:
        """Send all if something has changed since it was told; look only now and then."""
        if self._clock() < self._not_before:
            return
        self._not_before = self._clock() + PAUSE
        account = [_message(group) for group in self._groups.all()]
        if account != self._told:
            self._told = account
            self._send(step, account)


def _message(group: Group) -> Message:
    options = {
        short: told
        for name, value in group.options.items()
        if name not in OF_THE_CODE
        and (short := wire_text(str(name), LONGEST_OPTION))
        and (told := _option(value)) is not None
    }
    return {
        "optimizer": group.optimizer,
        "number": group.key[0],
        "group": group.key[1],
        "parameters": neighbours(group.indexes),
        "options": dict(islice(options.items(), MOST_OPTIONS)),
    }


def neighbours(indexes: npt.NDArray[np.int64]) -> list[list[int]]:
    """Return the first and the last of each run of indexes that follow each other."""
    ordered = np.unique(indexes)
    if not len(ordered):
        return []
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return [[int(part[0]), int(part[-1])] for part in parts]


def _option(value: object) -> bool | float | str | list[float] | None:
    """Return an option as it can be told; None for what is no number, or lies on a device."""
    if isinstance(value, str):
        return wire_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Sequence):
        if len(value) > MOST_NUMBERS:
            return None
        numbers = [_option(each) for each in value]
        return numbers if all(isinstance(each, float) for each in numbers) else None  # type: ignore[return-value]
    if isinstance(value, Tensor):
        if value.device.type != "cpu" or value.numel() != 1:
            return None
        value = value.item()
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None
