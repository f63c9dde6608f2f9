"""From which figures on something is an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Thresholds:
    """The figures that a person may set; docs/events.md says what each means."""

    spike: float = 10.0
    """A loss, or the norm of all gradients, above so many times its running median is a spike."""
    parameter_spike: float = 30.0
    """So is the norm of one parameter's: of thousands some always stray further."""
    vanished: float = 1e-4
    """A norm below such a part of its running median has vanished …"""
    vanished_after: int = 3
    """… when it stays there for so many samples."""
    dead_after: int = 50
    """A gradient that is exactly zero in so many samples running is dead."""
    not_moving_after: int = 10
    """A weight that has not moved in so many measured steps running does not move."""
    settled: int = 16
    """Values after which a running median says what is usual."""
    pause: int = 20
    """Samples for which a parameter is not told of again for the same kind."""
    together: int = 10
    """Events of a kind within a minute after which more are added to the latest."""


class BadThreshold(ValueError):
    """A threshold that there is not, or that has no such value."""


def thresholds_from(given: Iterable[str]) -> Thresholds:
    """Read what is given as `NAME=VALUE`; raises `BadThreshold` with a sentence."""
    changed: dict[str, float] = {}
    for each in given:
        name, _, text = each.partition("=")
        changed[name.strip()] = _value(name.strip(), text.strip())
    return replace(Thresholds(), **changed)  # type: ignore[arg-type]


def _value(name: str, text: str) -> float:
    defaults = {field.name: field.default for field in fields(Thresholds)}
    if name not in defaults:
        raise BadThreshold(f"{name!r} is no threshold: give one of {', '.join(defaults)}.")
    whole = isinstance(defaults[name], int)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9 or (name.endswith("spike") and value <= 1):
        wanted = "a whole number" if whole else "a number"
        bound = "1" if name.endswith("spike") else "0"
        raise BadThreshold(
            f"{name}={text} is none: give {wanted} above {bound}, as `{name}={defaults[name]}`."
        )
    return value
