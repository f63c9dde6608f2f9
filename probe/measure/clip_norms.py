"""The total norms that the script's own clipping computes: they cost nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..base.guard import Guard
from ..torch_compat.patching import (
    Interceptions,
    looks_of_scalers,
    norm_clips,
    weakly,
)

MOST_CLIPS = 16
"""Clips of a step that are followed; a script that clips each parameter by itself makes more."""
MOST_KNOWN = 16
"""Lists of parameters that are remembered."""


@dataclass(eq=False)
class Clip:
    """A call of ``clip_grad_norm_`` in the present step."""

    covered: frozenset[int]
    """The parameters that it was given, by index."""
    norm: Tensor
    """The norm of their gradients before, of one element, on its device."""


class ClipNorms:
    """Follows the script's calls of ``clip_grad_norm_``, for the L2 norm, in the present step."""

    def __init__(
        self,
        index_of: Mapping[int, int],
        guard: Guard,
        clipped: Callable[[], None] = lambda: None,
    ) -> None:
        """``index_of``: the index of each parameter by its ``id``; ``clipped`` hears of a clip."""
        self._index_of = index_of
        self._clipped = clipped
        self._guard = guard
        self._norm: Tensor | None = None
        """The L2 norm that was computed last."""
        self.clips: list[Clip] = []
        """Those in the present step; always the same object."""
        self._made = 0
        self._known: dict[tuple[int, ...], frozenset[int]] = {}
        """What lists of parameters cover, by the ``id`` of each."""
        self._calls = Interceptions(
            self,
            guard,
            [
                *norm_clips(weakly(self._compute), weakly(self._clip)),
                looks_of_scalers(weakly(self._unscale)),
            ],
        )

    def follow(self, *, needed: bool) -> None:
        """Follow what the script clips, or no longer."""
        self._calls.follow(needed=needed)

    def of(self, held: frozenset[int]) -> list[Clip]:
        """Return the clips that tell of some of these parameters."""
        return [clip for clip in self.clips if not clip.covered.isdisjoint(held)]

    def add(self, parameters: tuple[int, ...], norm: Tensor) -> None:
        """Take in a clip of parameters, by the ``id`` of each, whose gradients had this norm."""
        self._norm = None
        self._made += 1
        covered = self._known.get(parameters)
        if covered is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = (self._index_of.get(each) for each in parameters)
            covered = frozenset(index for index in found if index is not None)
            self._known[parameters] = covered
        if self._made > MOST_CLIPS:
            self.clips.clear()
        elif covered:
            # What a later one clips, an earlier one knew as it was before.
            self.clips[:] = [each for each in self.clips if each.covered.isdisjoint(covered)]
            self.clips.append(Clip(covered, norm))
            self._clipped()

    def clear(self) -> None:
        """Begin a step."""
        self.clips.clear()
        self._made = 0

    def forget(self) -> None:
        """Know nothing of what lists of parameters cover: the models have changed."""
        self._known.clear()
        self.clear()

    def _compute(self, compute: Callable[..., Any], *args: Any, **named: Any) -> Any:
        norm = compute(*args, **named)
        with self._guard:
            self._norm = norm if _is_l2(args, named) and type(norm) is Tensor else None
        return norm

    def _clip(
        self,
        clip: Callable[..., Any],
        parameters: Iterable[Tensor] | Tensor,
        max_norm: float,
        total_norm: Tensor,
        *args: Any,
        **named: Any,
    ) -> Any:
        with self._guard:
            if total_norm is self._norm and isinstance(parameters, (list, tuple)):
                self.add(tuple(map(id, parameters)), total_norm)
        return clip(parameters, max_norm, total_norm, *args, **named)

    def _unscale(self, look: Callable[..., Any], *args: Any, **named: Any) -> Any:
        # What was clipped before it is divided by the scale had another norm.
        self.clips.clear()
        return look(*args, **named)


def _is_l2(args: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    given = args[1] if len(args) > 1 else named.get("norm_type", 2.0)
    return float(given) == 2.0
