"""Methods that are called as long as their object is there, and do not keep it there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


def while_alive(method: Any, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls a bound method while its object is alive, and ``otherwise`` from then on.

    Both are given the same arguments. It is no ``WeakMethod``, which torch.compile cannot trace.
    """
    reference, act = weakref.ref(method.__self__), method.__func__

    def call(*args: Any, **more: Any) -> Any:
        owner = reference()
        return otherwise(*args, **more) if owner is None else act(owner, *args, **more)

    return call
