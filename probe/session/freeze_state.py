"""Freezes as plain values, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ..base.errors import CommandError, TargetError
from ..freeze.freezer import Freezer
from ..model.commands import MODES, FreezeCommand, ParameterCommand
from ..model.limit import Limit
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..steer.limits import Limits

VERSION = 2
READABLE = (1, 2)
"""A state of version 1 has neither gates nor a step."""


def freezes_to_state(
    freezer: Freezer, table: ParameterTable, limits: Limits, step: int
) -> dict[str, Any]:
    """Return what is frozen by command after ``step``: plain dicts, lists and strings."""
    return {
        "version": VERSION,
        "freezes": [
            {
                "parameters": [table.name(index) for index in indexes],
                "mode": freeze.mode,
                "hold_stats": freeze.hold_stats,
                "limit": limits.remaining(freeze.limit, step),
            }
            for freeze, indexes in freezer.records.by_freeze().items()
        ],
        "graphless": list(freezer.no_grad.paths),
        "held": list(freezer.statistics.paths),
    }


def freezes_from_state(
    state: Mapping[str, Any], table: ParameterTable, paths: Iterable[str]
) -> list[tuple[ParameterCommand, Selection]]:
    """Return the commands that bring a state about, with what they touch.

    ``paths``: the modules of the model. Raises :class:`CommandError` for what is no state of
    a run, and :class:`TargetError` for names that this model does not have.
    """
    if not isinstance(state, Mapping) or state.get("version") not in READABLE:
        raise CommandError(
            "this is no state of a Gradgate run, or one of another version; "
            "give what run.state_dict() returned."
        )
    step = state.get("step", 0)
    if not isinstance(step, int) or step < 0:
        raise CommandError(f"the state has step {step!r}; give what run.state_dict() returned.")
    items = state.get("freezes")
    paths_fit = all(_are_names(state.get(field)) for field in ("graphless", "held"))
    if not paths_fit or not isinstance(items, list | tuple) or not all(map(_is_freeze, items)):
        raise CommandError(
            "the freezes in this state are not as run.state_dict() returned them; give that."
        )
    known = set(paths)
    _know([*state["graphless"], *state["held"]], known, "module")
    index_of = {name: index for index, names in enumerate(table.names) for name in names}
    commands: list[tuple[ParameterCommand, Selection]] = []
    for item in items:
        names = item["parameters"]
        _know(names, index_of, "parameter")
        if item["mode"] not in MODES:
            raise CommandError(f"the state has the unknown mode {item['mode']!r}.")
        target = names[0] if len(names) == 1 else f"{len(names)} parameters of a checkpoint"
        limit = Limit.from_message(item)
        if limit is not None:  # what undoes it has to know it by its own name
            target = str(item["limit"].get("target") or target)
        command = FreezeCommand(target, item["mode"], item["hold_stats"], limit, by="python")
        command.check()
        selection = Selection(
            sorted({index_of[name] for name in names}),
            tuple(state["graphless"]) if item["mode"] == "no_grad" else (),
            tuple(state["held"]) if item["hold_stats"] else (),
        )
        commands.append((command, selection))
    return commands


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _is_freeze(item: object) -> bool:
    return (
        isinstance(item, Mapping)
        and _are_names(item.get("parameters"))
        and len(item["parameters"]) > 0
        and isinstance(item.get("mode"), str)
        and isinstance(item.get("hold_stats"), bool)
    )


def _know(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    known = set(known)
    missing = [name for name in names if name not in known]
    if missing:
        nearest = get_close_matches(missing[0], sorted(known), n=1, cutoff=0.5)
        hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
        raise TargetError(
            f"the state freezes the {kind} {missing[0]!r}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + f", which this model does not have{hint}."
        )
