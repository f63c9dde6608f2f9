"""What is said of a parameter without a useful gradient, and the stations of the gradient's way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..base.source import Place, Snippet, snippet
from ..base.wire_text import LONGEST_LABEL, wire_name, wire_text
from .case import Finding
from .tape import Value

MOST = 40
"""Stations of a way; from a longer one the middle is left out."""


@dataclass(frozen=True)
class Station:
    """A stop of the gradient's way from the loss to a parameter."""

    label: str
    kind: str
    """``loss``, ``module``, ``call`` or ``parameter``."""
    flow: str
    """``flows``: a gradient got here; ``stops``: here it ended; ``none``: behind that; ``turns``:
    here it turned into NaN or infinity; ``nonfinite``: which got here."""
    where: str | None

    def as_message(self) -> dict[str, Any]:
        """Return the station as the wire protocol has it."""
        return asdict(self) | {"label": wire_name(self.label, LONGEST_LABEL)}


@dataclass(frozen=True)
class Explanation:
    """Why a parameter has no useful gradient, where that comes from, and what to change."""

    cause: str
    """One of :data:`CAUSES`."""
    where: str | None
    """``path/to/file.py:41``, or None where the cause has no line."""
    detail: str
    advice: str
    path: tuple[Station, ...] = ()
    """From the loss back to the parameter; empty where no way is known."""
    source: Snippet | None = None
    """The line of ``where`` and a few around it."""

    def as_message(self) -> dict[str, Any]:
        """Return the explanation as the wire protocol has it."""
        return asdict(self) | {
            "detail": wire_text(self.detail),
            "advice": wire_text(self.advice),
            "path": [station.as_message() for station in self.path],
        }


def explanation_of(name: str, finding: Finding) -> Explanation:
    """Put what was found into the words and stations that are sent."""
    place = finding.place
    return Explanation(
        finding.cause,
        None if place is None else place.text,
        finding.detail,
        finding.advice,
        stations(name, finding),
        None if place is None else snippet(place),
    )


def stations(name: str, finding: Finding) -> tuple[Station, ...]:
    """Put the values of a way into stations: the loss, modules, the stop, the parameter."""
    where = None if finding.place is None else finding.place.text
    found: list[Station] = [Station("loss", "loss", "flows", None)]
    stopped = False
    end, after = ("turns", "nonfinite") if finding.goes_on else ("stops", "none")
    for value in reversed(finding.way[1:]):
        ends = value is finding.stop or not value.carries
        # What carries no gradient is behind the stop, and so is what never got to the loss.
        behind = not value.carries or value is finding.way[-1]
        if not (ends and behind):
            _module(found, value, after if stopped else "flows")
        if ends and not stopped:
            found.append(Station(finding.stopped_by, "call", end, where))
            stopped = True
        if ends and behind:
            _module(found, value, after)
    if not stopped and finding.stop is None and finding.stopped_by:
        found.append(Station(finding.stopped_by, "call", end, where))
        stopped = True
    found.append(Station(name, "parameter", after if stopped else "flows", None))
    return _short(found)


def _module(found: list[Station], value: Value, flow: str) -> None:
    """Add the module that made a value, unless the way is in it already."""
    call = value.made_by
    path = None if call is None else call.module
    if not path:
        return
    last = found[-1]
    inside = last.label == path or last.label.startswith(f"{path}.")
    if inside and last.kind == "module" and last.flow == flow:
        return
    found.append(Station(path, "module", flow, _text(call.place if call else None)))


def _text(place: Place | None) -> str | None:
    return None if place is None else place.text


def _short(found: list[Station]) -> tuple[Station, ...]:
    if len(found) <= MOST:
        return tuple(found)
    ends = (i for i, each in enumerate(found) if each.flow in ("stops", "turns"))
    stop = next(ends, len(found) - 1)
    near = range(max(0, stop - 5), stop + 6)
    kept = [*range(10), *near, *range(len(found) - 10, len(found))]
    return tuple(found[i] for i in sorted(set(kept)) if i < len(found))
