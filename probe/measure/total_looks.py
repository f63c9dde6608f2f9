"""Looks at the total norm of the gradients that an optimizer is about to apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer

from ..base.guard import Guard
from ..model.membership import Membership
from ..model.table import ParameterTable
from ..model.totals import BEFORE_CLIPPING
from .clip_norms import Clip, ClipNorms
from .total_norm import TotalNorm

READ_WITHOUT_WAITING = ("cpu", "cuda")
"""Devices from which a norm is read back and nobody waits; elsewhere every step would."""


@dataclass
class Look:
    """What was seen in one step."""

    norms: list[Tensor] = field(default_factory=list)
    """Of some gradients each, float64 [1] on their devices; together those of all."""
    flags: int = 0
    clips: list[Clip] = field(default_factory=list)
    """Those whose norms are among these."""
    missing: bool = False
    """Some gradients were left to the sample of the step."""
    may_skip: bool = False
    """A fused optimizer under a ``GradScaler`` skips the step if a gradient is not finite."""


class TotalLooks:
    """Takes the norm from the script's own clipping, and of what that did not see by itself."""

    def __init__(
        self,
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        members: Membership,
        guard: Guard,
        sampling: Callable[[], bool],
        clipped: Callable[[], None],
    ) -> None:
        """``sampling``: whether the present step is sampled, which measures every gradient.

        ``clipped`` is called where the script has clipped gradients.
        """
        self._optimizers = optimizers
        self._table = table
        self._members = members
        self._guard = guard
        self._sampling = sampling
        self._clips = ClipNorms(table.index_of, guard, clipped)
        self._known: dict[int | None, tuple[frozenset[int], TotalNorm]] = {}
        """By optimizer: the parameters whose norm was taken last, and what takes it."""
        self.following = False
        """Whether anything is looked at."""

    @property
    def clips(self) -> Sized:
        """What the script has clipped in the present step, always the same object."""
        return self._clips.clips

    def holds(self, k: int | None) -> bool:
        """Return whether optimizer k has any parameter; None: whether any is in no optimizer."""
        return bool(self._members.loose if k is None else self._members.held_by(k))

    def follow(self, *, needed: bool) -> None:
        """Look from here on, or no longer."""
        self.following = needed
        self._clips.follow(needed=needed)

    def take(self, look: Look, k: int | None) -> None:
        """Look at the gradients of optimizer k; None: at those of no optimizer."""
        with self._guard.attempt() as attempt:
            self._take(look, k)
        if attempt.error is not None:
            # What cannot be measured now cannot be in the next step: a sample names it.
            self.follow(needed=False)

    def end_step(self) -> None:
        """Begin a step."""
        self._clips.clear()

    def forget(self) -> None:
        """Know nothing of the parameters: the models have changed."""
        self._clips.forget()
        self._known.clear()

    def _take(self, look: Look, k: int | None) -> None:
        held = frozenset(self._members.loose) if k is None else self._members.set_of(k)
        if k is not None:
            look.may_skip |= isinstance(getattr(self._optimizers[k], "found_inf", None), Tensor)
        clips = self._clips.of(held)
        for clip in clips:
            if clip not in look.clips:
                look.clips.append(clip)
                look.norms.append(clip.norm.detach().reshape(1).double())
                look.flags |= BEFORE_CLIPPING
        rest = held.difference(*(clip.covered for clip in clips)) if clips else held
        if rest and self._sampling():
            look.missing = True
        elif rest:
            look.norms += self._unscaled(k, self._of(k, rest).measure())
        if any(norm.device.type not in READ_WITHOUT_WAITING for norm in look.norms):
            look.norms.clear()
            self.follow(needed=False)

    def _of(self, k: int | None, indexes: frozenset[int]) -> TotalNorm:
        known = self._known.get(k)
        if known is None or not (known[0] is indexes or known[0] == indexes):
            parameters = [self._table.parameters[index] for index in sorted(indexes)]
            self._known[k] = known = indexes, TotalNorm(parameters)
        return known[1]

    def _unscaled(self, k: int | None, norms: list[Tensor]) -> list[Tensor]:
        """Divide by the factor that a fused optimizer divides gradients by in its own kernel."""
        scale = None if k is None else getattr(self._optimizers[k], "grad_scale", None)
        if not isinstance(scale, Tensor):
            return norms
        return [norm / scale.to(norm.device) for norm in norms]
