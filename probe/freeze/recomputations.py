"""Plays checkpoints again as their forward was, whatever commands have changed since.

A non-reentrant checkpoint compares what its function saves when it is played again with what it
saved in the forward, and raises where they differ. Where a graph outlives a step (a sample that
was made for the judge's step, too), a command may come in between. So what a command has
changed is for the time of a recomputation as it was when the checkpoint was made.
https://docs.pytorch.org/docs/stable/checkpoint.html
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from ..base.guard import Guard, GuardedFunction
from ..model.modules import module_paths
from ..model.table import ParameterTable
from ..torch_compat.checkpoints import living_frames
from ..torch_compat.patching import Interceptions, checkpoint_frames, weakly
from ..torch_compat.tensors import set_requires_grad
from .frozen_statistics import FrozenStatistics
from .no_grad_modules import NoGradModules
from .records import FreezeRecords


@dataclass(frozen=True)
class _State:
    """What commands had changed when a checkpoint was made."""

    untrained: frozenset[int] = frozenset()
    """Parameters that would have required a gradient."""
    statistics: frozenset[str] = frozenset()
    """Modules whose statistics were frozen."""
    no_grad: frozenset[str] = frozenset()
    """Modules that ran without a graph."""


@dataclass
class _Made:
    """A checkpoint, and the state in which its forward ran."""

    frame: weakref.ref[Any]
    state: _State

    @property
    def is_under_way(self) -> bool:
        """Whether its forward is."""
        frame = self.frame()
        return frame is not None and not frame.forward_completed


class Recomputations:
    """Stands around the making of checkpoints while a command stands."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        records: FreezeRecords,
        statistics: FrozenStatistics,
        no_grad: NoGradModules,
        guard: Guard,
    ) -> None:
        self._models = models
        self.guard = guard
        self._table = table
        self._records = records
        self._statistics = statistics
        self._no_grad = no_grad
        self._gated: Collection[int] = frozenset()
        self._state: _State | None = None
        """As it is now; None when that is to be looked at anew."""
        self._latest: list[_Made] = []
        """The latest that were made; the forward of an outer one goes on inside of an inner."""
        self._frames = Interceptions(self, guard, [checkpoint_frames(weakly(self._make))])

    def follow(self, *, needed: bool) -> None:
        """Take in that what is frozen has changed; ``needed``: something is, or is gated."""
        self._state = None
        if needed and not self._frames.stand:
            for frame in living_frames():
                if not self._is_known(frame):
                    self._adopt(frame, _State())
        self._frames.follow(needed=needed)

    def follow_gates(self, gated: Collection[int]) -> None:
        """Take in which parameters gates keep from requiring a gradient, in a model's forward.

        A checkpoint may have begun before that, and be under way after it.
        """
        self._gated, self._state = gated, None
        for made in self._latest:
            if gated and made.is_under_way:
                made.state = self._present()

    def _make(
        self, make: Callable[..., None], frame: Any, recompute: object, *args: Any, **named: Any
    ) -> None:
        make(frame, recompute, *args, **named)
        self._latest = [made for made in self._latest if made.is_under_way]
        self._latest.append(self._adopt(frame, self._present()))

    def _adopt(self, frame: Any, state: _State) -> _Made:
        made = _Made(weakref.ref(frame), state)
        frame.recompute_fn = _Replay(self, frame.recompute_fn, made)
        return made

    def _is_known(self, frame: Any) -> bool:
        play = frame.recompute_fn
        return isinstance(play, _Replay) and play.owner is self

    def _present(self) -> _State:
        if self._state is None:
            self._state = _State(
                frozenset(self._records.untrained()) | frozenset(self._gated),
                frozenset(self._statistics.paths),
                frozenset(self._no_grad.paths),
            )
        return self._state

    def play(self, made: _Made, recompute: Callable[..., None], *args: Any) -> None:
        """Play a checkpoint again as its forward was."""
        now, then = self._present(), made.state
        if then == now:
            recompute(*args)
            return
        parameters = self._table.parameters
        flipped = [(parameters[i], i in now.untrained) for i in then.untrained ^ now.untrained]
        held = [module for module in self._at(then.statistics - now.statistics) if module.training]
        running = self._at(now.statistics - then.statistics)
        buffers = [(m, name, b) for m in running for name, b in m.named_buffers(recurse=False)]
        for parameter, trainable in flipped:
            set_requires_grad(parameter, trainable)
        for module in held:
            module.training = False
        for module, name, buffer in buffers:
            setattr(module, name, buffer.clone())  # which may move, for the one is held
        self._statistics.paused = now.statistics - then.statistics
        self._no_grad.paused = now.no_grad - then.no_grad
        try:
            recompute(*args)
        finally:
            self._statistics.paused = self._no_grad.paused = frozenset()
            for module, name, buffer in buffers:
                setattr(module, name, buffer)
            for module in held:
                module.training = True
            for parameter, trainable in flipped:
                set_requires_grad(parameter, not trainable)

    def _at(self, wanted: Collection[str]) -> list[nn.Module]:
        """Return the modules at these paths."""
        paths = module_paths(self._models) if wanted else {}
        return [paths[path] for path in wanted if path in paths]


class _Replay(GuardedFunction):
    """Takes the place of what plays a checkpoint again."""

    def __init__(self, owner: Recomputations, recompute: Callable[..., None], made: _Made) -> None:
        super().__init__(owner.guard, recompute, partial(owner.play, made))
        self.owner = owner
