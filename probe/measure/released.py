"""Gradients that are applied before the end of a step is told, and are gone or zeros by then."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard, GuardedHook
from ..base.states import State
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.versions import version
from .checksums import checksums
from .local_part import local_part, unreadable
from .statistics import STATISTICS
from .write_tracker import WriteTracker

ASKED = 3
"""Samples in which it is asked whether zeros are what the script made of a gradient."""

Figures = Mapping[int, Tensor]
"""Of one gradient, by the code of the statistic: float64 [1]."""


class ReleasedGradients:
    """Learns whose gradients are released early, and measures those as they come.

    Optimizers that step in a hook of each parameter save the memory of the gradients
    (https://docs.pytorch.org/tutorials/intermediate/optimizer_step_in_backward_tutorial.html).
    A parameter is known as one of theirs when a gradient has come to it and is gone before the
    step, and its weight is another than after the step before: by PyTorch's count of writes, or
    by its bits, for a write through ``.data`` is not counted. That is asked while the tracker of
    writes has its hooks, in the first samples, and where gradients persist.

    A script that steps by itself may also make zeros of what it has applied. Those are asked for
    in a few samples only, since it takes to wait for the device.
    """

    def __init__(
        self,
        table: ParameterTable,
        writes: WriteTracker,
        guard: Guard,
        sampling: Callable[[], bool],
        look: Callable[[int, Tensor], None],
    ) -> None:
        """``sampling``: whether the present step is measured; ``look`` is given what comes then."""
        self._table = table
        self._writes = writes
        self._guard = guard
        self._sampling = sampling
        self._look = look
        self._handles: dict[int, RemovableHandle] = {}
        self._came: dict[int, Figures] = {}
        """What has come in the present step, with its figures as far as it was measured."""
        self._versions: list[int] = []
        self._suspects: dict[int, int | None] = {}
        """The bits, as of the end of a step, of weights whose gradients were gone in it."""
        self._asked: Counter[int] = Counter()
        """In how many samples zeros were asked for, by parameter."""
        self.step_ended()

    @property
    def known(self) -> frozenset[int]:
        """The parameters whose gradients are released."""
        return frozenset(self._handles)

    def look(self, index: int) -> tuple[State, Figures]:
        """Return the state of a parameter that requires a gradient and has none now."""
        if index not in self._handles and self._is_applied(index):
            self._know(index)
        figures = self._came.get(index)
        if figures is None:
            self._writes.want(index)
            return State.ABSENT, {}
        return State.PRESENT if figures else State.UNMEASURED, figures

    def is_zeroed(self, index: int, grad: Tensor) -> bool:
        """Return whether a gradient was applied, and made zeros of, by the script itself.

        To be asked of one that has come in this step, and that no optimizer applies.
        """
        if index in self._handles:
            return True
        if self._asked[index] == ASKED or not self._writes.came(index):
            return False
        self._asked[index] += 1
        if bool(grad.any()):
            self._asked[index] = ASKED  # who leaves it there once does so in each step
        elif self._is_applied(index):
            self._know(index)
        return index in self._handles

    def step_ended(self) -> None:
        """Begin a step: what has come belongs to the one before."""
        self._came.clear()
        if not self._writes.hooking:
            self._versions, self._suspects = [], {}
            return
        parameters = self._table.parameters
        self._versions = [_version(parameter) for parameter in parameters]
        suspects = [i for i in self._suspects if unreadable(parameters[i]) is None]
        bits = checksums([local_part(parameters[i].detach()) for i in suspects])
        self._suspects = dict(zip(suspects, bits, strict=True))

    def forget(self, indexes: Iterable[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        for index in indexes:
            self._suspects.pop(index, None)
            handle = self._handles.pop(index, None)
            if handle is not None:
                handle.remove()

    def remove(self) -> None:
        """Remove every hook. Idempotent."""
        self.forget(list(self._handles))

    def take(self, index: int, grad: Tensor) -> None:
        """Measure a gradient that comes, if it is its turn; it may be gone right after."""
        figures: Figures = {}
        if self._sampling() and not torch.compiler.is_compiling():
            with self._guard, torch.no_grad():
                dense = local_part(grad.detach())
                figures = {each.code: each.measure([dense], None) for each in STATISTICS}
            self._look(index, grad)
        self._came[index] = figures

    def _is_applied(self, index: int) -> bool:
        if index >= len(self._versions) or not self._writes.came(index):
            return False
        parameter = self._table.parameters[index]
        if _version(parameter) != self._versions[index]:
            return True
        before = self._suspects.setdefault(index, None)
        return before is not None and checksums([local_part(parameter.detach())]) != [before]

    def _know(self, index: int) -> None:
        hook = GuardedHook(self._guard, partial(_take, weakref.ref(self), index))
        self._handles[index] = self._table.parameters[index].register_hook(hook)
        self._came[index] = {}  # it is too late to measure this one


def _take(released: weakref.ref[ReleasedGradients], index: int, grad: Tensor) -> None:
    """Pass a gradient on; strong, the hook would keep its own parameter alive for ever."""
    remaining = released()
    if remaining is not None:
        remaining.take(index, grad)


def _version(parameter: Tensor) -> int:
    return 0 if is_uninitialized(parameter) or parameter.is_inference() else version(parameter)
