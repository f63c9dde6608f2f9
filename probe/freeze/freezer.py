"""Freezes and thaws parameters and modules: an absolute state, set at step boundaries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from torch import nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..base.undo import Restore
from ..distributed.reducers import rebuild
from ..model.freeze import Freeze
from ..model.modules import module_paths
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..torch_compat.dynamo import forget_compiled_code
from ..torch_compat.fsdp import ShardedGroups
from ..torch_compat.wrappers import Wrappers
from .anchor import Anchor
from .autograd_calls import AutogradCalls
from .conversions import Conversions
from .cover import Cover
from .frozen_statistics import FrozenStatistics
from .grad_scaler import ScalerZeros
from .no_grad_modules import NoGradModules
from .recomputations import Recomputations
from .records import FreezeRecords
from .refusals import Refusals
from .script_flags import ScriptFlags


class Freezer:
    """Brings about what commands freeze and thaw; the optimizer's groups are not touched.

    A parameter that joins a frozen module later is not frozen by that.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        guard: Guard,
        wrappers: Wrappers,
        *,
        script_wins: bool = False,
        backward_ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what a run is made of.

        ``script_wins``: a freeze ends where the script itself sets ``requires_grad``.
        ``backward_ended``: called after a backward in which there was nothing to do.
        """
        self._models = models
        self._table = table
        self._wrappers = wrappers
        self._refusals = Refusals(models, optimizers, table, wrappers)
        self.records = FreezeRecords(table)
        self._guard = guard
        self.script_flags = ScriptFlags(table, self.records, guard, win=script_wins)
        self.conversions = Conversions(table, self.records, guard)
        self.anchor = Anchor(models, wrappers, guard)
        self.calls = AutogradCalls(table, guard, backward_ended)
        self.no_grad = NoGradModules(self.anchor.is_all_of, guard)
        self.statistics = FrozenStatistics(guard)
        self.recomputations = Recomputations(
            models, table, self.records, self.statistics, self.no_grad, guard
        )
        zeros = ScalerZeros(table, guard)
        self.cover = Cover(self.records, table, self.anchor, self.calls, zeros, self.recomputations)
        self._looked = (0, 0)
        """How many parameters there were, and how many had left, at the last look inside."""

    def check(self, selection: Selection, mode: str) -> None:
        """Raise :class:`CommandError` when freezing or thawing would not be safe."""
        self._refusals.check(selection.indexes, mode)

    def snapshot(self, selection: Selection) -> list[Restore]:
        """Return what puts all back as it is, after a try to freeze or thaw ``selection``."""
        parameters = [self._table.parameters[index] for index in selection.indexes]
        flags = [parameter.requires_grad for parameter in parameters]
        paths = module_paths(self._models)
        no_grad = {path: paths[path] for path in self.no_grad.paths if path in paths}
        statistics = {path: paths[path] for path in self.statistics.paths if path in paths}
        records = self.records.snapshot(selection.indexes)
        flipped: list[nn.Parameter] = []

        def restore_flags() -> None:
            pairs = zip(parameters, flags, strict=True)
            flipped.extend(p for p, flag in pairs if p.requires_grad != flag)
            records()

        def restore_statistics() -> None:
            self.statistics.unfreeze_all_but(statistics)
            self.statistics.freeze(statistics)

        return [
            restore_flags,
            lambda: self.no_grad.set(no_grad),
            restore_statistics,
            self.cover.update,
            self.script_flags.follow,
            self.conversions.follow,
            lambda: self._refresh_torch(flipped),
        ]

    def freeze(self, selection: Selection, freeze: Freeze) -> None:
        """Freeze parameters: an absolute state, so freezing twice is freezing once."""
        self.script_flags.forget(selection.indexes)
        flipped = self.records.add(selection.indexes, freeze)
        modules = set(self.no_grad.paths)
        if freeze.mode == "no_grad":
            modules.update(selection.modules)
        paths = module_paths(self._models)
        if freeze.hold_stats:
            self.statistics.freeze({path: paths[path] for path in selection.norms})
        else:
            self.statistics.unfreeze(selection.norms)
        self._follow(modules, paths, flipped)

    def thaw(self, selection: Selection) -> None:
        """Make parameters trainable again, and let running statistics run."""
        self.script_flags.thaw(selection.indexes)
        flipped = self.records.drop(selection.indexes)
        self.statistics.unfreeze(selection.norms)
        self._follow(self.no_grad.paths, module_paths(self._models), flipped)

    def renew(self, selection: Selection) -> None:
        """Have torch begin anew with these parameters, as after a freeze or a thaw of them."""
        self._refresh_torch([self._table.parameters[index] for index in selection.indexes])

    def clear_gradients(self, stepping: Collection[int]) -> None:
        """Drop gradients that somebody gave to frozen parameters (``p.grad = ...``).

        A backward writes none, not even through a graph from before the freeze. ``stepping``:
        those that the optimizer about to step holds, for there may be one per parameter.
        """
        frozen = self.records.freezes
        undone = self.records.clear_gradients(stepping if len(stepping) < len(frozen) else frozen)
        if undone and not self.script_flags.win:
            self._freeze_again(undone)

    def leave_no_grad(self) -> dict[str, list[int]]:
        """Let modules that cannot run without a graph any more go on in mode ``grad``.

        Returns them by path, each with the parameters that are in it. To be asked where there are
        such modules.
        """
        counts = len(self._table), len(self._table.removed)
        grown, self._looked = counts != self._looked, counts
        if not (grown or self.no_grad.cutting):
            return {}
        paths = module_paths(self._models)
        cutting = {path: paths[path] for path in self.no_grad.cutting if path in paths}
        self.no_grad.cutting.clear()
        if grown:
            for path in self.no_grad.paths:
                if path in paths and not self.records.is_whole(paths[path]):
                    cutting[path] = paths[path]
        inside = {path: self._table.indexes(m.parameters()) for path, m in cutting.items()}
        self.records.fall_back_to_grad({i for indexes in inside.values() for i in indexes})
        if cutting:
            self._follow(self.no_grad.paths, paths, [])
        return inside

    def follow_script(self) -> bool:
        """Freeze again what the script has undone past all that listens, or let its word stand.

        Called between two steps, when no call of a module is under way any more. Returns
        whether a freeze ended.
        """
        self.script_flags.boundary()
        self.anchor.reset()
        self.calls.boundary()
        self.statistics.reset()
        if not self.records.freezes:
            return False
        undone = self.records.undone()
        if not self.script_flags.win:
            self._freeze_again(undone)
            return False
        ended = {*undone, *self.script_flags.asked} & self.records.freezes.keys()
        if ended:
            self.script_flags.note_unheard(ended)
            self.records.forget(ended)
            self._follow(self.no_grad.paths, module_paths(self._models), [])
        return bool(ended)

    def restore(self) -> None:
        """Give every parameter that a command touched the ``requires_grad`` it had before."""
        flipped = self.records.restore()
        self.script_flags.boundary()
        self.script_flags.follow()
        self.conversions.follow()
        self.no_grad.remove()
        self.statistics.remove()
        self.cover.remove()
        self._refresh_torch(flipped)

    def _freeze_again(self, undone: Sequence[int]) -> None:
        self.script_flags.note_unheard(undone)
        self.records.freeze_again(undone)

    def _follow(
        self,
        modules: Iterable[str],
        paths: Mapping[str, nn.Module],
        flipped: Sequence[nn.Parameter],
    ) -> None:
        """Bring hooks, compiled code and reducers in line with what is frozen now.

        ``modules``: those to run without a graph, as far as they are still frozen whole.
        """
        whole = {path: paths[path] for path in modules if self.records.is_whole(paths.get(path))}
        self.no_grad.set(whole)
        inside = {id(p) for module in whole.values() for p in module.parameters()}
        outside = [
            index
            for index, freeze in self.records.freezes.items()
            if freeze.mode == "no_grad" and id(self._table.parameters[index]) not in inside
        ]
        self.records.fall_back_to_grad(outside)
        self.cover.update()
        self.script_flags.follow()
        self.conversions.follow()
        self._refresh_torch(flipped)

    def _refresh_torch(self, flipped: Sequence[nn.Parameter]) -> None:
        """Make what holds on to the old ``requires_grad`` look again."""
        forget_compiled_code()
        if flipped:
            ShardedGroups(self._models).follow_flags(flipped)
        for wrapper in self._wrappers.reducing(flipped) if flipped else ():
            rebuild(wrapper, self._guard, self.anchor.leaf)
