"""The dry run of a gate before it is made: is it good, and when would it have been closed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..base.errors import CommandError, ConditionError, GradgateError
from ..base.wire_text import wire_text
from ..conditions.compiler import Condition, compile_condition
from ..conditions.names import MOVEMENT, OWN_NAMES
from ..model.commands import Command, GateCommand
from .decider import Decider
from .sites import PARAMETER


def dry_run(
    command: Command,
    history: Mapping[str, Any] | None,
    *,
    check: Callable[[GateCommand], None],
    known: Sequence[str],
    compiled: bool = False,
) -> dict[str, Any]:
    """Return the answer to a ``trial`` of the wire protocol; nothing is changed.

    ``history``: ``steps`` and, by name, ``values`` of the same length, null where a sample
    had none. ``check`` raises why the gate cannot be made. ``known``: the metrics that
    conditions can name now. ``compiled``: the model is.
    """
    at_parameter = isinstance(command, GateCommand) and command.site.startswith(f"{PARAMETER}:")
    own = OWN_NAMES if at_parameter else OWN_NAMES - MOVEMENT
    answer: dict[str, Any] = {
        "error": None,
        "names": sorted({*own, *known}),
        "closed": None,
        "samples": 0,
        "missing": [],
        "notes": [],
        "first": None,
        "last": None,
    }
    try:
        command.check()
        if not isinstance(command, GateCommand):
            raise CommandError(f"a trial is of a gate, and of no {command.kind}.")
        condition = compile_condition(command.when)
        check(command)
    except ConditionError as error:
        return answer | {"error": {"message": error.message, "column": error.column}}
    except GradgateError as error:
        return answer | {"error": {"message": wire_text(str(error)), "column": None}}
    if compiled:
        answer["notes"] += _cost_in_compiled(condition, at_parameter=at_parameter)
    unknown = condition.names - OWN_NAMES - set(known)
    if unknown:
        answer["notes"].append(
            f"{', '.join(sorted(unknown))}: no metric of that name was logged yet, so the gate "
            "stays open until there is one."
        )
    if not history or not history["steps"]:
        return answer | {"missing": sorted(condition.names - {"step", "closed"})}
    played = _play(condition, command.hold, history)
    return answer | played | {"notes": [*answer["notes"], *played.get("notes", ())]}


def _cost_in_compiled(condition: Condition, *, at_parameter: bool) -> Iterator[str]:
    """Say what a gate costs in a compiled model."""
    if at_parameter:
        yield "the model stays compiled as it is: the gate acts where the gradient is stored."
    else:
        yield (
            "the model is compiled anew, with a break of its graph at the site: the next step "
            "takes longer, and nothing is fused across the site while the gate is there."
        )
    if condition.needs_norm:
        yield "each backward waits for the norm before it goes on with compiled code."


def _play(condition: Condition, hold: int, history: Mapping[str, Any]) -> dict[str, Any]:
    values: Mapping[str, Sequence[float | None]] = history["values"]
    given = {*values, "step", "closed"} | ({"norm_avg"} if "norm" in values else set())
    missing = sorted(condition.names - given)
    if missing:
        return {"missing": missing}
    decider = Decider(condition, hold)
    closed: list[int] = []
    played = undecided = 0
    for position, step in enumerate(history["steps"]):
        known = {n: v for n, column in values.items() if (v := column[position]) is not None}
        if condition.needs_norm and "norm" not in known:
            decider.closed = False
            continue  # no gradient came, so nothing was decided
        played += 1
        decider.closed = decider.decide(step, known, partial(known.__getitem__, "norm"))
        if decider.closed:
            closed.append(step)
        elif decider.problem is not None:
            undecided += 1
    notes = []
    if undecided:
        notes.append(f"in {undecided} of {played} samples the condition could not be told.")
    return {
        "closed": closed,
        "samples": played,
        "missing": [],
        "notes": notes,
        "first": min(history["steps"]),
        "last": max(history["steps"]),
    }
