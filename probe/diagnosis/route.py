"""The gradient's way from the loss back to a parameter, as stations."""

from __future__ import annotations

from ..base.source import Place
from .explanation import Station
from .finding import Finding
from .tape import Value

MOST = 40
"""Stations of a way; from a longer one the middle is left out."""


def stations(name: str, finding: Finding) -> tuple[Station, ...]:
    """Put the values of a way into stations: the loss, modules, the stop, the parameter."""
    where = None if finding.place is None else finding.place.text
    found: list[Station] = [Station("loss", "loss", "flows", None)]
    stopped = False
    for value in reversed(finding.way[1:]):
        ends = value is finding.stop or not value.carries
        # What carries no gradient is behind the stop, and so is what never got to the loss.
        behind = not value.carries or value is finding.way[-1]
        if not (ends and behind):
            _module(found, value, "none" if stopped else "flows")
        if ends and not stopped:
            found.append(Station(finding.stopped_by, "call", "stops", where))
            stopped = True
        if ends and behind:
            _module(found, value, "none")
    if not stopped and finding.stop is None and finding.stopped_by:
        found.append(Station(finding.stopped_by, "call", "stops", where))
        stopped = True
    found.append(Station(name, "parameter", "none" if stopped else "flows", None))
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
    stop = next((i for i, each in enumerate(found) if each.flow == "stops"), len(found) - 1)
    near = range(max(0, stop - 5), stop + 6)
    kept = [*range(10), *near, *range(len(found) - 10, len(found))]
    return tuple(found[i] for i in sorted(set(kept)) if i < len(found))
