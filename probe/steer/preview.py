"""Says what a command would touch, before anybody does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from ..base.retry import consistently
from ..base.wire_text import LONGEST_NAME, wire_name, wire_text
from ..model.commands import ParameterCommand
from ..model.selection import Selection
from ..model.table import ParameterTable, is_uninitialized
from ..model.upstream import Upstream
from ..torch_compat.tree import tensors_in

LISTED = 20
"""As many names as are told of each kind."""
_ASKED = ("kind", "target", "mode", "hold_stats", "reset_state")
"""What of a command a preview repeats."""


@dataclass(frozen=True)
class Preview:
    """What a command would touch; lists of names are cut after the first 20.

    A record with one field for each figure that the wire protocol and Python show.
    """

    kind: str
    target: str
    mode: str
    hold_stats: bool
    reset_state: bool
    parameters: list[str]
    count: int
    """How many parameters the target names."""
    already: int
    """How many of them are already so."""
    numel: int
    share: float
    """Of all elements of the models, 0 to 1."""
    gradient_bytes: int
    """What the gradients take that a freeze frees or a thaw needs."""
    state_bytes: int
    """What the optimizers hold for these parameters, which only ``reset_state`` drops."""
    trainable_after: int
    trainable_numel_after: int
    not_in_optimizer: list[str]
    """Those that no optimizer holds; empty where the run knows no optimizer at all."""
    tied: list[list[str]]
    """All names of those that have several."""
    running_stats: list[str]
    """The modules inside the target whose running statistics would go on."""
    cut_off: list[str] | None
    """Trainable parameters upstream that would lose their gradient; None: not known yet."""
    recompiles: bool
    warnings: list[str]
    """Sentences, the most important first."""

    def as_message(self) -> dict[str, Any]:
        """Return the preview as the wire protocol has it."""
        cut_off = None if self.cut_off is None else _told(self.cut_off)
        return asdict(self) | {
            "parameters": _told(self.parameters),
            "not_in_optimizer": _told(self.not_in_optimizer),
            "tied": [_told(names) for names in self.tied],
            "running_stats": [wire_name(path, LONGEST_NAME) for path in self.running_stats],
            "cut_off": cut_off,
            "warnings": [wire_text(warning) for warning in self.warnings],
        }


def _told(names: Iterable[str]) -> list[str]:
    return [wire_name(name, LONGEST_NAME) for name in names]


def preview(
    command: ParameterCommand,
    selection: Selection,
    *,
    table: ParameterTable,
    optimizers: Sequence[Optimizer],
    upstream: Upstream | None = None,
    compiled: bool = False,
) -> Preview:
    """Say what ``command`` would touch as things are now; changes nothing, in any thread.

    ``upstream``: what flowed into the target's modules in an observed forward, for mode
    ``no_grad``.
    """
    scene = _Scene(command, selection, table, optimizers, upstream, compiled)
    return consistently(scene.preview)


@dataclass(frozen=True)
class _Scene:
    """A command and what it meets."""

    command: ParameterCommand
    selection: Selection
    table: ParameterTable
    optimizers: Sequence[Optimizer]
    upstream: Upstream | None
    compiled: bool

    def preview(self) -> Preview:
        command, indexes = self.command, self.selection.indexes
        asked = command.asked()
        touched = [self.table.parameters[index] for index in indexes]
        changing = [p for p in touched if p.requires_grad != command.trains]
        removed = self.table.removed
        everything = [p for i, p in enumerate(self.table.parameters) if i not in removed]
        trainable = self._trainable_after(everything, touched)
        total = sum(map(_numel, everything))
        numel = sum(map(_numel, touched))
        loose = self._in_no_optimizer()
        cut_off = self._cut_off()
        recompiles = self.compiled
        return Preview(
            **{name: asked[name] for name in _ASKED},
            parameters=self._names(indexes),
            count=len(indexes),
            already=len(indexes) - len(changing),
            numel=numel,
            share=numel / total if total else 0.0,
            gradient_bytes=sum(map(_bytes, changing)),
            state_bytes=sum(map(self._state_bytes, touched)),
            trainable_after=len(trainable),
            trainable_numel_after=sum(map(_numel, trainable)),
            not_in_optimizer=self._names(loose),
            tied=[list(self.table.names[index]) for index in self._tied()[:LISTED]],
            running_stats=self._running_stats(),
            cut_off=None if cut_off is None else self._names(cut_off),
            recompiles=recompiles,
            warnings=list(
                self._warnings(
                    loose,
                    cut_off,
                    changes=bool(changing),
                    trains=bool(trainable),
                    recompiles=recompiles,
                )
            ),
        )

    def _trainable_after(
        self, everything: Iterable[Tensor], touched: Iterable[Tensor]
    ) -> list[Tensor]:
        ids = {id(parameter) for parameter in touched}
        trains = self.command.trains
        return [p for p in everything if (trains if id(p) in ids else p.requires_grad)]

    def _in_no_optimizer(self) -> list[int]:
        if not self.optimizers:
            return []
        held = {
            id(parameter)
            for optimizer in self.optimizers
            for group in list(optimizer.param_groups)
            for parameter in list(group["params"])
        }
        return [i for i in self.selection.indexes if id(self.table.parameters[i]) not in held]

    def _state_bytes(self, parameter: Tensor) -> int:
        # Not state[parameter]: that is a defaultdict, and asking it would make an entry.
        return sum(
            _bytes(leaf)
            for optimizer in self.optimizers
            for leaf in tensors_in(dict(optimizer.state.get(parameter) or {}))
        )

    def _tied(self) -> list[int]:
        return [index for index in self.selection.indexes if len(self.table.names[index]) > 1]

    def _running_stats(self) -> list[str]:
        goes_on = not (self.command.trains or self.command.hold_stats)
        return list(self.selection.norms) if goes_on else []

    def _cut_off(self) -> list[int] | None:
        if not self.command.without_graph:
            return []
        if self.upstream is None or not self.upstream.called:
            return None
        return sorted(set(self.upstream.indexes).difference(self.selection.indexes))

    def _warnings(
        self,
        loose: list[int],
        cut_off: list[int] | None,
        *,
        changes: bool,
        trains: bool,
        recompiles: bool,
    ) -> Iterator[str]:
        freezes = not self.command.trains
        if cut_off:
            yield (
                f"It would be rejected: without a graph here, {self._listed(cut_off)} upstream "
                "would lose the gradient; freeze upstream first, or use mode 'grad'."
            )
        if self.upstream is not None and self.upstream.foreign:
            yield (
                "It would be rejected: a tensor that is no parameter of the model gets a "
                "gradient through this module; use mode 'grad'."
            )
        if cut_off is None:
            yield (
                "What flows into this module is known after the next forward; if a trainable "
                "parameter is upstream, the command is rejected."
            )
        if freezes and not trains:
            yield "Nothing is left trainable: the job goes on, and learns nothing."
        if not changes and not self.command.reset_state:
            yield f"All of it is {'frozen' if freezes else 'trainable'} already."
        if loose and not freezes:
            yield (
                f"{self._listed(loose)} {_is(loose)} in no optimizer and will not be trained; "
                "add a parameter group for it in the script."
            )
        if self._running_stats():
            yield (
                f"Running statistics go on in {_modules(self._running_stats())}: what the "
                "frozen part computes still changes; hold running statistics too."
            )
        if tied := self._tied():
            yield (
                f"{self._listed(tied)} {_is(tied)} shared under several names, and "
                f"{'freezes' if freezes else 'thaws'} under all of them."
            )
        if self.command.reset_state:
            yield "The optimizer begins anew with these parameters: its state for them is dropped."
        if recompiles:
            yield "The compiled model is compiled again, so the next step takes longer."

    def _names(self, indexes: Sequence[int]) -> list[str]:
        return [self.table.name(index) for index in indexes[:LISTED]]

    def _listed(self, indexes: Sequence[int]) -> str:
        first = repr(self.table.name(indexes[0]))
        return first if len(indexes) == 1 else f"{first} and {len(indexes) - 1} more"


def _is(indexes: Sequence[int]) -> str:
    return "is" if len(indexes) == 1 else "are"


def _modules(paths: Sequence[str]) -> str:
    first = repr(paths[0]) if paths[0] else "the model"
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _numel(parameter: Tensor) -> int:
    return 0 if is_uninitialized(parameter) else parameter.numel()


def _bytes(tensor: Tensor) -> int:
    # A lazy parameter has no element_size either.
    return 0 if is_uninitialized(tensor) else tensor.numel() * tensor.element_size()
