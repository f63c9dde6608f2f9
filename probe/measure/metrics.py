"""What the user gives to ``log(...)``: numbers, or tensors read without stalling the job."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor

from ..base.guard import Guard
from ..base.wire_text import wire_text
from ..conditions.names import LONGEST_NAME, metric_name
from ..torch_compat.readback import Readback

logger = logging.getLogger("gradgate")

MAX_NAMES = 1_000
MAX_NAME = LONGEST_NAME - 1
MAX_PENDING = 64


@dataclass(frozen=True)
class MetricValues:
    """Metrics of one step; None for a value that was not measured."""

    step: int
    time: float
    values: Mapping[str, float | None]

    def as_message(self, seq: int) -> dict[str, Any]:
        """The metrics as the wire protocol has them: JSON has no word for what is not finite."""
        nonfinite = {
            name: str(value)
            for name, value in self.values.items()
            if value is not None and not math.isfinite(value)
        }
        message: dict[str, Any] = {
            "type": "metrics",
            "seq": seq,
            "step": self.step,
            "time": self.time,
            "values": {**self.values, **dict.fromkeys(nonfinite)},
        }
        if nonfinite:
            message["nonfinite"] = nonfinite
        return message


@dataclass
class _Pending:
    step: int
    time: float
    values: dict[str, float]
    readbacks: Sequence[tuple[list[str], Readback]] = ()

    def ready(self) -> bool:
        """Whether all values have arrived; never waits."""
        return all(readback.ready() for _, readback in self.readbacks)


class MetricLog:
    """Collects metrics; those on an accelerator arrive when the device is done with them."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pending: deque[_Pending] = deque()
        self.handing_on = threading.RLock()
        """Held by another thread while it hands on what it has collected, and by who sends all.

        So that nothing is missed at the end. The handler of a signal may flush meanwhile."""
        self._complained: set[str] = set()
        self._names: dict[str, tuple[str, str]] = {}
        """What the wire and what conditions call some metrics, by the script's names for them."""
        self.latest: dict[str, float] = {}
        """The latest value of each metric that has arrived, by the name that conditions use."""

    def add(self, step: int, metrics: Mapping[str, object]) -> None:
        """Take metrics of ``step``. A value that is no number is ignored, with a warning once."""
        pending = _Pending(step, time.time(), {})
        on_device: dict[torch.device, dict[str, Tensor]] = {}
        for name, value in list(metrics.items())[:MAX_NAMES]:
            names = self._names.get(name) if type(name) is str else None
            if names is not None and type(value) is float and names[1] in self.latest:
                # As all below does, without a call.
                pending.values[names[0]] = self.latest[names[1]] = value
                continue
            with self._guard:  # one that cannot be read takes no other along
                short, known = self._named(name)
                if _is_on_device(value):
                    scalar = value.detach().reshape(1).to(torch.float32)
                    on_device.setdefault(value.device, {})[short] = scalar
                elif (number := self._number(name, value)) is not None:
                    self._remember(known, number)
                    pending.values[short] = number
        for named in on_device.values():
            with self._guard:
                readback = list(named), Readback(list(named.values()))
                pending.readbacks = [*pending.readbacks, readback]
        self._pending.append(pending)

    @property
    def full(self) -> bool:
        """Return whether so much waits that it should be collected before the next boundary."""
        return len(self._pending) > MAX_PENDING

    @property
    def awaits_device(self) -> bool:
        """Whether something is on its way from a device, that conditions may have to know."""
        return any(pending.readbacks for pending in list(self._pending))

    def collect(self, *, wait: bool = False, on_host: bool = False) -> list[MetricValues]:
        """Return the metrics whose values have arrived, oldest first.

        ``on_host``: up to the first that comes from a device, which is the training thread's to
        ask. Other threads may do so at the same time, or the handler of a signal.
        """
        arrived = []
        while (first := self._take()) is not None:
            if first.readbacks and (on_host or not (wait or self.full or first.ready())):
                self._pending.appendleft(first)
                break
            for names, readback in first.readbacks:
                with self._guard:
                    for name, value in zip(names, readback.values().tolist(), strict=True):
                        self._remember(self._named(name)[1], value)
                        first.values[name] = value
            if first.values:
                arrived.append(MetricValues(first.step, first.time, first.values))
        return arrived

    def _take(self) -> _Pending | None:
        try:
            return self._pending.popleft()
        except IndexError:
            return None

    def _named(self, name: object) -> tuple[str, str]:
        if type(name) is not str:  # what is equal to it may have another name
            name = str(name)
        names = self._names.get(name)
        if names is None:
            short = _clean(name)
            names = short, metric_name(short)
            if len(self._names) < MAX_NAMES:
                self._names[name] = names
        return names

    def _remember(self, known: str, value: float) -> None:
        if known in self.latest or len(self.latest) < MAX_NAMES:
            self.latest[known] = value

    def _number(self, name: str, value: object) -> float | None:
        if type(value) is float:
            return value
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
            return float(value.detach())
        if hasattr(value, "__float__") and not isinstance(value, Tensor):
            try:
                return float(value)
            except (TypeError, ValueError, OverflowError):
                pass  # an array of several elements, say
        if name not in self._complained and len(self._complained) < MAX_NAMES:
            self._complained.add(name)
            logger.warning(
                "gradgate: log(%s=...) was given a %s, which is no single number; it is ignored.",
                name,
                type(value).__name__,
            )
        return None


def _is_on_device(value: object) -> TypeGuard[Tensor]:
    """Return whether a value is one real number that has to be read from an accelerator."""
    if not isinstance(value, Tensor) or value.is_cpu:
        return False
    return value.numel() == 1 and not value.is_complex()


def _clean(name: str) -> str:
    """Return a name that the wire protocol takes: not empty, not too long, without NUL."""
    return wire_text(name, MAX_NAME) or "metric"
