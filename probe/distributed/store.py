"""Small values shared by the ranks of a distributed job, in the store of its process group."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch.distributed as dist

from ..base.errors import MissingFromTorch
from ..torch_compat.process_group import default_store

T = TypeVar("T")


class StoreError(Exception):
    """An operation on the store failed; the message says what it said."""


class StoreGone(StoreError):
    """The store will not come back: its host has ended, or the process group was destroyed."""


class NotJson(TypeError):
    """A value is nothing that JSON can carry; the message says why. Nothing was done."""


class RankStore:
    """JSON values by key, in the store that the default process group was made with.

    Only operations that return at once are used: a ``get`` or ``wait`` for a key that is not
    there holds the lock of the store's client, and everybody else in the process waits too.
    The store is looked up each time: rank 0 often hosts it, and holding on to it would keep its
    port open after ``destroy_process_group``.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._group = weakref.ref(dist.group.WORLD)
        self._asked_at: float | None = None

    def write(self, key: str, value: object) -> None:
        """Set ``key``, without waiting until the store has it."""
        text = _encode(value)
        self._do(lambda store: store.set(key, text))

    def read(self, keys: Sequence[str]) -> list[Any] | None:
        """Return the values of ``keys``, or None while one of them is not there."""

        def read(store: Any) -> list[bytes] | None:
            return list(store.multi_get(list(keys))) if store.check(list(keys)) else None

        found = self._do(read)
        return None if found is None else [json.loads(value) for value in found]

    def read_one(self, key: str) -> Any:
        """Return the value of a key, or None while it is not there."""
        found = self.read([key])
        return None if found is None else found[0]

    def without(self, keys: Sequence[str]) -> list[int]:
        """Return the positions of the keys that have nothing, or only a False."""
        found = self.read(keys)
        if found is None:
            read = [self.read([key]) for key in keys]
            found = [False if value is None else value[0] for value in read]
        return [position for position, value in enumerate(found) if value is False]

    def decide(self, key: str, value: object) -> Any:
        """Set ``key`` unless it is set; return what it is set to now, the same on every rank."""
        text = _encode(value)
        return json.loads(self._do(lambda store: store.compare_set(key, "", text)))

    def delete(self, key: str) -> None:
        """Remove a key that nobody will ask for any more."""
        self._do(lambda store: store.delete_key(key))

    def count(self, key: str) -> int:
        """Add one to the number at ``key`` and return it."""
        return int(self._do(lambda store: store.add(key, 1)))

    def silent_for(self) -> float:
        """Return the seconds since which the store owes an answer; for any other thread."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def longest_silence(self) -> float:
        """Return the seconds that the job itself waits for an answer of the store, at most."""
        return float(self._do(lambda store: store.timeout.total_seconds()))

    def _do(self, work: Callable[[Any], T]) -> T:
        try:
            if dist.group.WORLD is None or dist.group.WORLD is not self._group():
                raise StoreGone("the process group was destroyed")
            self._asked_at = time.monotonic()
            return work(default_store(self._prefix))
        except MissingFromTorch as error:
            raise StoreGone(str(error)) from error
        except dist.DistNetworkError as error:
            raise StoreGone(str(error)) from error
        except (RuntimeError, ValueError) as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error
        finally:
            self._asked_at = None


def _encode(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise NotJson(str(error)) from error
