"""Looks private parts of torch up by name, once, and refuses by name where one is missing.

Torch may take a private name away in any release. A :class:`Part` is looked up when its door is
imported, which never fails. Where a part is missing, the door does what ``otherwise`` says, and
what cannot be done without it (``needed_for``) is refused before anything is changed, with a
:class:`~gradgate.probe.base.errors.MissingFromTorch` that names the part.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ..base.errors import MissingFromTorch

FREEZING, GATING, EXPLAINING = "freezing", "gating", "explaining"
"""What may need a part."""


class Part:
    """A private part of torch, or what it could not be found under."""

    def __init__(
        self,
        name: str,
        *,
        otherwise: str,
        needed_for: Iterable[str] = (),
        look: Callable[[str], Any] | None = None,
    ) -> None:
        """``otherwise``: what happens without it; ``look``: finds what has no dotted name."""
        self.name = name
        self.otherwise = otherwise
        self.needed_for = frozenset(needed_for)
        self.value: Any = (look or find)(name)

    @property
    def missing(self) -> bool:
        """Return whether this torch has no such part."""
        return self.value is None

    def or_else(self, stand_in: Any) -> Any:
        """Return the part, or ``stand_in`` where it is missing."""
        return stand_in if self.value is None else self.value

    def require(self) -> Any:
        """Return the part; raise :class:`MissingFromTorch` where it is missing."""
        if self.value is None:
            raise MissingFromTorch(self.name, torch.__version__, self.otherwise)
        return self.value


def find(name: str) -> Any:
    """Return the part of torch of a dotted name, or None."""
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return None
