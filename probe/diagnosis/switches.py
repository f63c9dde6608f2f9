"""Where a step switched ``requires_grad`` of a parameter, and what was used of it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..base.source import Place
from .dataflow import Dataflow
from .tape import Switching, Tape, Value


@dataclass(frozen=True)
class OffTime:
    """A time in which a parameter required no gradient."""

    off: Place | None
    """None: it was so before the step."""
    on: Place | None
    """None: it still is."""


def last_switched_off(parameter: int, tape: Tape) -> Place | None:
    """Return where ``requires_grad`` of a parameter, by ``id``, was last set to False."""
    off = [switch for switch in tape.switches.get(parameter, ()) if not switch.on]
    return off[-1].chain.script if off else None


def off_when_used(parameter: int, tape: Tape, dataflow: Dataflow) -> OffTime | None:
    """Return the time in which all that the step made of a parameter was made without gradient."""
    switches = tape.switches.get(parameter, ())
    own = tape.leaves.get(parameter, [])
    uses = [(value, after) for value in own for after in dataflow.next_of(value)]
    uses = [(value, after) for value, after in uses if not any(after is each for each in own)]
    if not switches or not uses or any(value.carries for value, _ in uses):
        return None
    first = min(_index(after) for _, after in uses)
    return _around(switches, sum(switch.index <= first for switch in switches))


def off_in_backward(parameter: int, tape: Tape) -> OffTime | None:
    """Return the time in which a backward ran that had a gradient for a parameter."""
    switches = tape.switches.get(parameter, ())
    for number in reversed(range(len(tape.backwards))):
        time = _around(switches, sum(switch.backwards <= number for switch in switches))
        if time is not None and time.off is not None:
            return time
    return None


def _around(switches: Sequence[Switching], count: int) -> OffTime | None:
    """Return the time without gradient after so many of the switches; None if it was not off."""
    before, after = switches[:count], switches[count:]
    if before and before[-1].on:
        return None
    on = next((switch for switch in after if switch.on), None)
    if not before and on is None:
        return None
    return OffTime(
        before[-1].chain.script if before else None, None if on is None else on.chain.script
    )


def _index(value: Value) -> int:
    return 0 if value.made_by is None else value.made_by.index
