"""A close look at one step of a few parameters: what it wrote, and what the script wrote after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..measure.checksums import checksums
from ..measure.kept_elements import spread
from ..measure.local_part import local_part
from ..measure.look_budget import LookBudget
from ..measure.turns import shares
from ..model.table import ParameterTable
from ..torch_compat.versions import version
from .groups import Groups
from .movers import Gradient
from .rounding import UpdateSize, update_sizes


@dataclass(frozen=True)
class Look:
    """What one step of an optimizer did to one parameter, and what came before the next."""

    index: int
    optimizer: str
    """The type of the one that holds it."""
    trainable: bool
    gradient: Gradient
    """What its ``.grad`` held when the step used it."""
    untouched: bool
    """Nothing has written to that since an earlier step used it."""
    written: bool
    """The step wrote to it, by PyTorch's count of writes."""
    moved: bool
    """A bit of it was different after the step."""
    moved_after: bool
    """A bit of it was different between that step and the next."""
    put_back: bool
    """The next step found the very bits that this one had found."""
    outward: bool
    """Its elements were at the ends of a range, and the step moved none inwards: what a clamp
    holds there is put back each time."""
    size: UpdateSize | None
    """What was asked for, in the weight's own type; not of a weight that moved in a wide one."""
    size_in_float32: UpdateSize | None
    decay: float
    """Weight decay of its group."""
    remembers: bool
    """The optimizer has a memory of earlier gradients of it."""

    @property
    def lost(self) -> float:
        """Return the share of the elements whose update is rounded away, as far as is known."""
        return 0.0 if self.size is None else self.size.lost


@dataclass(frozen=True)
class _Ends:
    """The least value of a weight and its largest, where it has no others."""

    least: Tensor
    largest: Tensor

    @classmethod
    def of(cls, parameter: Tensor) -> _Ends | None:
        """Return those of a weight, None where it has values in between."""
        weight = local_part(parameter.detach())
        if not weight.is_floating_point() or weight.dtype.itemsize < 2 or not weight.numel():
            return None
        # Few elements tell of most weights that they have more values than two.
        for elements in (spread(weight, 0), weight):
            least, largest = elements.aminmax()
            if not bool(((elements == least) | (elements == largest)).all()):
                return None
        return cls(least, largest)

    def left_by(self, parameter: Tensor) -> bool:
        """Return whether no element has moved inwards; of a single end, all to one side."""
        weight = local_part(parameter.detach())
        if self.least != self.largest:
            return not bool(((weight > self.least) & (weight < self.largest)).any())
        return bool((weight >= self.largest).all() or (weight <= self.least).all())


@dataclass
class _Watched:
    """A parameter while it is looked at."""

    version: int
    before: int
    """The checksum of its bits."""
    ends: _Ends | None
    after: int | None = None
    """None until the step is done."""
    look: Look | None = None


class CloseLook:
    """Planned at a boundary; it takes the next step of each optimizer, and the time after it."""

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        groups: Groups,
        held_by: Callable[[int], Iterable[int]],
        untouched: Callable[[Tensor], bool],
        budget: LookBudget,
    ) -> None:
        """``held_by``: the parameters of optimizer k; ``untouched``: whether a gradient is."""
        self._optimizers = optimizers
        self._table = table
        self._groups = groups
        self._held_by = held_by
        self._untouched = untouched
        self._budget = budget
        self._wanted: list[int] = []
        self._begins = False
        """What is wanted may be looked at in the coming steps."""
        self._watched: dict[int, dict[int, _Watched]] = {}
        """By optimizer and parameter."""

    @property
    def active(self) -> bool:
        """Return whether there is anything to look at in the coming step."""
        return self._begins or bool(self._watched)

    def want(self, indexes: Iterable[int]) -> None:
        """Look at the first of these in the coming steps, instead of those that still wait.

        At as many as one look has room for, as with those that are looked at in turn.
        """
        wanted = list(indexes)
        sizes = [self._table.parameters[index].numel() for index in wanted]
        self._wanted = [wanted[place] for share in shares(sizes)[:1] for place in share]

    def plan(self) -> None:
        """Decide for the coming steps whether to look at what is wanted, or to let it wait."""
        self._begins = bool(self._wanted) and self._budget.affords()

    def before_step(self, k: int) -> list[Look]:
        """End the look at the step before of optimizer k, and begin one at this, if it is planned.

        Return what was seen, of which each part is known only now.
        """
        looks = self._end(k)
        if self._begins:
            with self._budget.timed():
                self._begin(k)
        return looks

    def _end(self, k: int) -> list[Look]:
        """Return what was seen of the step before of optimizer k."""
        if k not in self._watched:
            return []
        with self._budget.timed():
            watched = {i: w for i, w in self._watched.pop(k).items() if w.look is not None}
            sums = self._sums(watched)
            looks = [_ended(each, now) for each, now in zip(watched.values(), sums, strict=True)]
        self._budget.end_look()
        return looks

    def _begin(self, k: int) -> None:
        """Look at what is wanted of what optimizer k holds."""
        held = set(self._held_by(k))
        mine = [index for index in self._wanted if index in held]
        if mine:
            self._wanted = [index for index in self._wanted if index not in held]
            self._begins = bool(self._wanted)
            self._watched[k] = {
                index: _Watched(version(self._table.parameters[index]), sums, self._ends(index))
                for index, sums in zip(mine, self._sums(mine), strict=True)
            }

    def stepped(self, k: int) -> None:
        """Look at what the step of optimizer k, which is done, has written."""
        with self._budget.timed():
            watched = self._watched.get(k, {})
            for (index, each), after in zip(watched.items(), self._sums(watched), strict=True):
                each.after = after
                each.look = self._look(k, index, each, after)

    def _look(self, k: int, index: int, watched: _Watched, after: int) -> Look:
        optimizer, parameter = self._optimizers[k], self._table.parameters[index]
        found = self._groups.of(index)
        group = {} if found is None else found.options
        moved, dtype = after != watched.before, parameter.dtype
        # Of what has moved only the share that is lost is asked for, which a part tells; a type
        # as wide as float32 loses none that another would take up.
        dtypes = {dtype, torch.float32} if not moved or dtype.itemsize < 4 else ()
        sizes = update_sizes(optimizer, group, parameter, dtypes, whole=not moved)
        return Look(
            index,
            type(optimizer).__name__,
            parameter.requires_grad,
            gradient_of(parameter.grad),
            parameter.grad is not None and self._untouched(parameter.grad),
            written=version(parameter) != watched.version,
            moved=moved,
            moved_after=False,
            put_back=False,
            outward=watched.ends is not None and watched.ends.left_by(parameter),
            size=sizes.get(dtype),
            size_in_float32=sizes.get(torch.float32),
            decay=float(group.get("weight_decay") or 0),
            remembers=remembers(optimizer, parameter),
        )

    def _ends(self, index: int) -> _Ends | None:
        return _Ends.of(self._table.parameters[index])

    def _sums(self, indexes: Iterable[int]) -> list[int]:
        return checksums([self._table.parameters[index] for index in indexes])


def _ended(watched: _Watched, now: int) -> Look:
    assert watched.look is not None
    undone = watched.look.moved and now == watched.before
    return replace(watched.look, moved_after=now != watched.after, put_back=undone)


def remembers(optimizer: Optimizer, parameter: Tensor) -> bool:
    """Return whether an optimizer has a memory of a parameter's earlier gradients."""
    state = optimizer.state.get(parameter, {})
    return any(isinstance(v, Tensor) and v.shape == parameter.shape for v in state.values())


def gradient_of(grad: Tensor | None) -> Gradient:
    """Return what a ``.grad`` holds, of a sharded one this rank's own part.

    Each rank looks when it has the time: to ask a DTensor as a whole may be a collective that no
    other rank takes part in (``any()`` is, from torch 2.15 on).
    """
    if grad is None:
        return "none"
    return "some" if bool(local_part(grad).any()) else "zeros"
