"""What is done whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradgate.probe.base.undo import whole


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
    with pytest.raises(RuntimeError, match="no way back"), whole(restores):
        raise KeyError("lost")
    assert told == ["first", "second", "third"]


def test_an_interruption_is_put_back_too() -> None:
    """Ctrl-C comes at any moment."""
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt), whole([noting(told, "restored")]):
        raise KeyboardInterrupt
    assert told == ["restored"]
