"""Listeners, by which a part calls others that are made after it."""

from __future__ import annotations

from gradgate.probe.base.listeners import Listeners


def test_all_are_called_in_order_with_what_is_told() -> None:
    """Those added later too; with none added nothing happens."""
    heard: list[tuple[str, int]] = []
    listeners: Listeners[int] = Listeners()
    listeners.call(1)
    for name in ("first", "second"):
        listeners.add(lambda value, name=name: heard.append((name, value)))  # type: ignore[misc]
    listeners.call(2)
    assert heard == [("first", 2), ("second", 2)]
