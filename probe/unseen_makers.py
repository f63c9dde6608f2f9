"""What makes tensors without torch function modes seeing it, wrapped for the time of a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Note = Callable[[str, Any, Tensor], None]
"""Told the name of the maker, what it was given, and what it made."""


class UnseenMakers:
    """``nn.Parameter(tensor)`` and ``torch.from_numpy(array)``."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._make_subclass: Callable[..., Any] = Tensor._make_subclass
        self._from_numpy: Callable[..., Any] = torch.from_numpy

    def start(self) -> None:
        """Wrap them."""
        make_subclass, from_numpy, note = self._make_subclass, self._from_numpy, self._note

        def made_subclass(kind: Any, data: Any, *rest: Any, **more: Any) -> Any:
            made = make_subclass(kind, data, *rest, **more)
            note("Parameter", data, made)
            return made

        def made_from_numpy(array: Any) -> Any:
            made = from_numpy(array)
            note("from_numpy", array, made)
            return made

        Tensor._make_subclass = staticmethod(made_subclass)  # type: ignore[assignment]
        torch.from_numpy = made_from_numpy  # type: ignore[assignment]

    def stop(self) -> None:
        """Unwrap them."""
        del Tensor._make_subclass  # the one of its base class is below
        torch.from_numpy = self._from_numpy
