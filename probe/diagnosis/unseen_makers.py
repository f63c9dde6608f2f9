"""What makes tensors without torch function modes seeing it, listened to while a trace lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..torch_compat.patching import Interception

Note = Callable[[str, Any, Tensor], None]
"""Told the name of the maker, what it was given, and what it made."""


class UnseenMakers:
    """``nn.Parameter(tensor)`` and ``torch.from_numpy(array)``."""

    def __init__(self) -> None:
        self._makers: list[Interception] = []

    def start(self, note: Note) -> None:
        """Listen."""

        def made_subclass(given: tuple[Any, ...], made: Tensor) -> None:
            note("Parameter", given[1], made)

        def made_from_numpy(given: tuple[Any, ...], made: Tensor) -> None:
            note("from_numpy", given[0], made)

        self._makers = [
            Interception(Tensor, "_make_subclass", made_subclass, static=True),
            Interception(torch, "from_numpy", made_from_numpy),
        ]
        for maker in self._makers:
            maker.start()

    def stop(self) -> None:
        """Listen no longer."""
        for maker in self._makers:
            maker.stop()
        self._makers.clear()
