"""Freezes and thaws parameters and modules: an absolute state, set at step boundaries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from ..base.errors import CommandError
from ..base.guard import Guard
from ..distributed import reducers
from ..model.freeze import Freeze
from ..model.modules import module_paths
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..torch_compat.dynamo import forget_compiled_code, is_compiled
from ..torch_compat.process_group import in_process_group
from .anchor import Anchor
from .frozen_statistics import HeldStatistics
from .grad_scaler import IdleOptimizers
from .no_grad_modules import GraphlessModules
from .refusals import Refusals


class Freezer:
    """Holds the freezes that commands made; the optimizer's groups are not touched.

    A frozen parameter has ``requires_grad=False`` **and** ``grad=None``: with a gradient of
    zeros, AdamW would still move it by its momentum and its weight decay. A parameter that
    joins a frozen module later is not frozen by that.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        guard: Guard,
    ) -> None:
        self._models = models
        self._table = table
        self._refusals = Refusals(models, optimizers, table)
        self._anchor = Anchor(models, guard)
        self._graphless = GraphlessModules(self._anchor.is_all_of)
        self._held = HeldStatistics()
        self.idle = IdleOptimizers(optimizers, table)
        self._found: dict[int, tuple[nn.Parameter, bool]] = {}
        """Each parameter that a command touched, and ``requires_grad`` before the first did."""
        self._gateable: Collection[int] = frozenset()
        """What gates may keep untrained in some step."""
        self._gated: Collection[int] | None = frozenset()
        """What they were last known to keep so; None when that is to be noted anew."""
        self.freezes: dict[int, Freeze] = {}
        self._known = (0, 0)
        """How many parameters there were, and how many had left, at the last look inside."""

    @property
    def leaf(self) -> torch.Tensor:
        """The leaf that the probe itself ties outputs to."""
        return self._anchor.leaf

    @property
    def graphless(self) -> tuple[str, ...]:
        """The modules that run without a graph."""
        return self._graphless.paths

    @property
    def held(self) -> tuple[str, ...]:
        """The modules whose running statistics are held."""
        return self._held.paths

    def check(self, selection: Selection, mode: str) -> None:
        """Raise :class:`CommandError` when freezing or thawing would not be safe."""
        self._refusals.check(selection.indexes)
        targets = {self._table.name(i): self._table.parameters[i] for i in selection.indexes}
        refused = reducers.distributed_refusal(self._models, targets)
        for wrapper in _wrappers(targets.values()):
            refused = refused or reducers.refusal(wrapper)
        if refused is not None:
            raise CommandError(refused)
        if mode == "no_grad" and is_compiled(self._models):
            raise CommandError(
                "a compiled model takes mode 'grad' only, and there it saves the activations "
                "of frozen parts already; use mode 'grad'."
            )

    def freeze(self, selection: Selection, freeze: Freeze) -> None:
        """Freeze parameters: an absolute state, so freezing twice is freezing once."""
        flipped = self._flip(selection.indexes, trainable=False)
        for index in selection.indexes:
            self._table.parameters[index].grad = None
            self.freezes[index] = freeze
        graphless = set(self._graphless.paths)
        if freeze.mode == "no_grad":
            graphless.update(selection.modules)
        paths = module_paths(self._models)
        if freeze.hold_stats:
            self._held.hold({path: paths[path] for path in selection.norms})
        else:
            self._held.release(selection.norms)
        self._settle(graphless, paths, flipped)

    def thaw(self, selection: Selection) -> None:
        """Make parameters trainable again, and let running statistics run."""
        flipped = self._flip(selection.indexes, trainable=True)
        for index in selection.indexes:
            self.freezes.pop(index, None)
        self._held.release(selection.norms)
        self._settle(self._graphless.paths, module_paths(self._models), flipped)

    def hold_only(self, paths: Collection[str]) -> None:
        """Let the running statistics of all modules but these run again."""
        self._held.release([path for path in self._held.paths if path not in paths])

    def cover(self, gateable: Collection[int]) -> None:
        """Keep the user's backward working with what gates may keep untrained in some step."""
        if gateable == self._gateable:
            return
        self._gateable = gateable
        self._anchor.cover(self._table.parameters[i] for i in {*self.freezes, *gateable})
        self._gated = None

    def note_gated(self, gated: Collection[int]) -> None:
        """Keep a ``GradScaler`` working with what gates keep untrained in the present step."""
        if gated != self._gated:
            self._gated = gated
            self.idle.note({*self.freezes, *gated})

    def clear_gradients(self, held: Collection[int]) -> None:
        """Drop gradients that somebody gave to frozen parameters (``p.grad = ...``).

        A backward writes none, not even through a graph from before the freeze. ``held``:
        those that the optimizer about to step holds, for there may be one per parameter.
        """
        fewer = held if len(held) < len(self.freezes) else self.freezes
        for index in fewer:
            parameter = self._table.parameters[index]
            frozen = index in self.freezes and not parameter.requires_grad
            if frozen and parameter.grad is not None:
                parameter.grad = None
        self.idle.take_back()

    def feed_scaler(self) -> None:
        """Give a ``GradScaler`` something to look at: :mod:`gradgate.probe.freeze.grad_scaler`."""
        self.idle.feed()

    def cut_off(self) -> dict[str, list[int]]:
        """Modules that could not run without a graph since they were last asked about.

        They go on in mode ``grad``: by path, the parameters that are in them.
        """
        known = len(self._table), len(self._table.removed)
        grown, self._known = known != self._known, known
        if not self._graphless.paths or not (grown or self._graphless.cutting):
            self._graphless.cutting.clear()
            return {}
        paths = module_paths(self._models)
        cutting = {path: paths[path] for path in self._graphless.cutting if path in paths}
        self._graphless.cutting.clear()
        if grown:
            for path in self._graphless.paths:
                if path in paths and not self._is_whole(paths[path]):
                    cutting[path] = paths[path]
        inside = {path: self._table.indexes(m.parameters()) for path, m in cutting.items()}
        for index in {index for indexes in inside.values() for index in indexes}:
            if index in self.freezes:
                self.freezes[index] = replace(self.freezes[index], mode="grad")
        if cutting:
            self._settle(self._graphless.paths, paths, [])
        return inside

    def boundary(self) -> bool:
        """Forget freezes that the script undid by itself; return whether there were any."""
        self._anchor.reset()
        self._held.reset()
        undone = [i for i in self.freezes if self._table.parameters[i].requires_grad]
        for index in undone:
            del self.freezes[index]
        if undone:
            self._settle(self._graphless.paths, module_paths(self._models), [])
        return bool(undone)

    def as_message(self) -> list[dict[str, Any]]:
        """What is frozen by command, as the wire protocol has it: one item a command."""
        items: dict[Freeze, list[int]] = {}
        for index, freeze in sorted(self.freezes.items()):
            items.setdefault(freeze, []).append(index)
        return [{**asdict(freeze), "parameters": indexes} for freeze, indexes in items.items()]

    def restore(self) -> None:
        """Give every parameter that a command touched the ``requires_grad`` it had before."""
        flipped = []
        for index, (parameter, found) in self._found.items():
            # Where the script has set it anew since, the script's word stands.
            commanded = index not in self.freezes
            if parameter.requires_grad == commanded != found:
                parameter.requires_grad_(found)
                flipped.append(parameter)
        self._found.clear()
        self.freezes.clear()
        self.idle.remove()
        self._graphless.remove()
        self._held.remove()
        self._anchor.remove()
        self._announce_to_torch(flipped)

    @property
    def restores(self) -> bool:
        """Whether :meth:`restore` has anything to undo."""
        return bool(self._found)

    def _flip(self, indexes: Iterable[int], *, trainable: bool) -> list[nn.Parameter]:
        """Set ``requires_grad``; return the parameters on which that changed it."""
        flipped = []
        for index in indexes:
            parameter = self._table.parameters[index]
            self._found.setdefault(index, (parameter, parameter.requires_grad))
            if parameter.requires_grad != trainable:
                parameter.requires_grad_(trainable)
                flipped.append(parameter)
        return flipped

    def _settle(
        self,
        graphless: Iterable[str],
        paths: Mapping[str, nn.Module],
        flipped: Sequence[nn.Parameter],
    ) -> None:
        """Bring hooks, compiled code and reducers in line with what is frozen now."""
        whole = {path: paths[path] for path in graphless if self._is_whole(paths.get(path))}
        self._graphless.set(whole)
        inside = {id(p) for module in whole.values() for p in module.parameters()}
        for index, freeze in self.freezes.items():
            if freeze.mode == "no_grad" and id(self._table.parameters[index]) not in inside:
                self.freezes[index] = replace(freeze, mode="grad")
        self._anchor.cover(self._table.parameters[i] for i in {*self.freezes, *self._gateable})
        self._gated = None
        self.idle.note(self.freezes)
        self._announce_to_torch(flipped)

    def _is_whole(self, module: nn.Module | None) -> bool:
        """Whether every parameter below a module is still frozen in mode ``no_grad``."""
        if module is None:
            return False
        indexes = self._table.indexes(module.parameters())
        frozen = [self.freezes.get(index) for index in indexes]
        return bool(frozen) and all(f is not None and f.mode == "no_grad" for f in frozen)

    def _announce_to_torch(self, flipped: Sequence[nn.Parameter]) -> None:
        """Make what holds on to the old ``requires_grad`` look again."""
        forget_compiled_code()
        for wrapper in _wrappers(flipped) if flipped else ():
            reducers.rebuild(wrapper, self._anchor.leaf)


def _wrappers(parameters: Iterable[nn.Parameter]) -> list[DistributedDataParallel]:
    """The DistributedDataParallel wrappers that hold one of ``parameters``."""
    return reducers.find_wrappers(parameters) if in_process_group() else []
