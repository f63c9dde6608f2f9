"""What the user gives to ``log(...)``: numbers, or tensors read without stalling the job."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    readbacks: list[tuple[list[str], Readback]] = field(default_factory=list)

    def ready(self) -> bool:
        """Whether all values have arrived; never waits."""
        return all(readback.ready() for _, readback in self.readbacks)


class MetricLog:
    """Collects metrics; those on an accelerator arrive when the device is done with them."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._pending: deque[_Pending] = deque()
        self._complained: set[str] = set()
        self._names: dict[str, str] = {}
        """What conditions call some of the metrics, by the names that the script has for them."""
        self.latest: dict[str, float] = {}
        """The latest value of each metric that has arrived, by the name that conditions use."""

    def add(self, step: int, metrics: Mapping[str, object]) -> None:
        """Take metrics of ``step``. A value that is no number is ignored, with a warning once."""
        pending = _Pending(step, time.time(), {})
        on_device: dict[torch.device, dict[str, Tensor]] = {}
        for name, value in list(metrics.items())[:MAX_NAMES]:
            with self._guard:  # one that cannot be read takes no other along
                short = _clean(name)
                if _is_on_device(value):
                    scalar = value.detach().reshape(1).to(torch.float32)
                    on_device.setdefault(value.device, {})[short] = scalar
                elif (number := self._number(name, value)) is not None:
                    self._remember(short, number)
                    pending.values[short] = number
        for named in on_device.values():
            with self._guard:
                pending.readbacks.append((list(named), Readback(list(named.values()))))
        self._pending.append(pending)

    @property
    def full(self) -> bool:
        """Return whether so much waits that it should be collected before the next boundary."""
        return len(self._pending) > MAX_PENDING

    def collect(self, *, wait: bool = False) -> list[MetricValues]:
        """Return the metrics whose values have arrived, oldest first."""
        arrived = []
        while self._pending:
            first = self._pending[0]
            if first.readbacks and not (wait or self.full or first.ready()):
                break
            self._pending.popleft()
            for names, readback in first.readbacks:
                with self._guard:
                    for name, value in zip(names, readback.values().tolist(), strict=True):
                        self._remember(name, value)
                        first.values[name] = value
            if first.values:
                arrived.append(MetricValues(first.step, first.time, first.values))
        return arrived

    def _remember(self, name: str, value: float) -> None:
        known = self._names.get(name)
        if known is None:
            known = metric_name(name)
            if len(self._names) < MAX_NAMES:
                self._names[name] = known
        if known in self.latest or len(self.latest) < MAX_NAMES:
            self.latest[known] = value

    def _number(self, name: str, value: object) -> float | None:
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
    if not isinstance(value, Tensor) or value.device.type == "cpu":
        return False
    return value.numel() == 1 and not value.is_complex()


def _clean(name: object) -> str:
    """Return a name that the wire protocol takes: not empty, not too long, without NUL."""
    return wire_text(str(name), MAX_NAME) or "metric"
