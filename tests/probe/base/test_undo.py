"""What is done whole or not at all."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from gradgate.probe.base.guard import Guard
from gradgate.probe.base.undo import Handles, Undo, whole


def noting(told: list[str], word: str, error: Exception | None = None) -> Callable[[], None]:
    def restore() -> None:
        told.append(word)
        if error is not None:
            raise error

    return restore


def test_what_is_done_is_kept() -> None:
    """Nothing is put back."""
    told: list[str] = []
    with whole([noting(told, "restored")]):
        told.append("done")
    assert told == ["done"]


def test_what_raises_is_put_back_in_order() -> None:
    """Each part, though one of them fails at it, and the error comes out."""
    told: list[str] = []
    restores = [
        noting(told, "first"),
        noting(told, "second", RuntimeError("no way back")),
        noting(told, "third"),
    ]
    lost = KeyError("lost")
    with pytest.raises(RuntimeError, match="no way back") as raised, whole(restores):
        raise lost
    assert raised.value.__context__ is lost
    assert told == ["first", "second", "third"]


def test_an_interruption_is_put_back_too() -> None:
    """Ctrl-C comes at any moment."""
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt), whole([noting(told, "restored")]):
        raise KeyboardInterrupt
    assert told == ["restored"]


class Hook:
    """A handle that is interrupted once as it is removed."""

    def __init__(self, *, interrupts: bool = False) -> None:
        self.removed = False
        self._interrupts = interrupts

    def remove(self) -> None:
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
        self.removed = True


def test_hooks_are_removed_though_the_next_cannot_be_registered() -> None:
    """Each is known before the next is made."""
    first, handles = Hook(), Handles()

    def refuse() -> Hook:
        raise RuntimeError("no hook")

    handles.add(lambda: first)
    with pytest.raises(RuntimeError, match="no hook"), whole([handles.remove]):
        handles.add(refuse)
    assert first.removed
    assert not handles


def test_hooks_that_are_left_by_an_interrupt_can_be_removed() -> None:
    """None is forgotten before it is gone."""
    hooks, handles = [Hook(), Hook(interrupts=True), Hook()], Handles()
    for hook in hooks:
        handles.add(lambda hook=hook: hook)
    with pytest.raises(KeyboardInterrupt):
        handles.remove()
    assert handles
    handles.remove()
    assert [hook.removed for hook in hooks] == [True] * 3


def test_an_ending_comes_once_and_again_where_it_was_interrupted() -> None:
    """By a call, which may be made again until it has come to its end."""
    owner, told = Hook(), list[str]()
    hook = Hook(interrupts=True)

    def undo() -> None:
        hook.remove()
        told.append("undone")

    end = Undo(Guard(), owner, undo)
    with pytest.raises(KeyboardInterrupt):
        end()
    end()
    end()
    assert told == ["undone"]


def test_an_ending_comes_with_the_end_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guarded: nobody is there to hear of a fault."""
    monkeypatch.delenv("GRADGATE_STRICT")
    owner, guard, told = Hook(), Guard(), list[str]()
    ends = [
        Undo(guard, owner, noting(told, "one", RuntimeError("no way back"))),
        Undo(guard, owner, noting(told, "other")),
    ]
    del owner
    gc.collect()
    assert sorted(told) == ["one", "other"]
    assert guard.faults == 1
    for end in ends:
        end()
    assert len(told) == 2
