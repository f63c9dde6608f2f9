"""From a target (a parameter's name, a module's path or a glob) to parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from .errors import TargetError
from .wire_text import LONGEST_NAME, OMISSION, SUBSTITUTE, wire_name

MOST_COMPARED = 2000
"""Names that a target is compared with to find the nearest. Each takes 0.1 ms, to sort a hundred
thousand would hold the interpreter, and whoever types a target asks at each key."""


def resolve(target: str, names: Sequence[Sequence[str]]) -> list[int]:
    """Return the indexes of the parameters that ``target`` names, in order.

    ``names`` holds, per parameter, all of its names; one without any is never meant. A
    target is, in this order, an exact name, the path of a module (all parameters below
    it), or a glob in which ``*`` matches any characters, dots included. Where it is none, all this
    is tried with the names as the dashboard has them, of which some are others.

    Raises :class:`TargetError`, naming the nearest names, when nothing matches.
    """
    require_text(target)
    found = _matching(target, names)
    if not found and (SUBSTITUTE in target or OMISSION in target):
        told = [[wire_name(name, LONGEST_NAME) for name in aliases] for aliases in names]
        found = _matching(target, told)
    if not found:
        raise TargetError(_no_match(target, names))
    return found


def require_text(target: object) -> None:
    """Raise :class:`TargetError` for what is no text, or none that names anything."""
    if not isinstance(target, str):
        raise TargetError(
            f"{target!r:.80} is no target; give a parameter's name, a module's path or a glob, "
            "as a text."
        )
    if len(target) > LONGEST_NAME or "\0" in target:
        raise TargetError(f"a target has {LONGEST_NAME} characters at most, and no NUL.")


def _matching(target: str, names: Sequence[Sequence[str]]) -> list[int]:
    exact = [i for i, aliases in enumerate(names) if target in aliases]
    if exact:
        return exact
    below = f"{target}."
    inside = [
        i for i, aliases in enumerate(names) if any(name.startswith(below) for name in aliases)
    ]
    if inside:
        return inside
    return [
        i for i, aliases in enumerate(names) if any(fnmatchcase(name, target) for name in aliases)
    ]


def _no_match(target: str, names: Sequence[Sequence[str]]) -> str:
    if not any(names):
        return f"{target!r} matches nothing: this run has no parameters."
    known = {name for aliases in names for name in aliases}
    known |= {path for name in known for path in _modules_above(name)}
    nearest = get_close_matches(target, _beginning_alike(target, known), n=3, cutoff=0.5)
    if nearest:
        hint = "did you mean " + " or ".join(repr(name) for name in nearest) + "?"
    else:
        hint = (
            "give a parameter's name, a module's path or a glob such as 'encoder.*'; "
            f"the first parameter is {next(filter(None, names))[0]!r}."
        )
    return f"{target!r} matches no parameter and no module: {hint}"


def _beginning_alike(target: str, names: Collection[str]) -> list[str]:
    """Return the names that begin most like ``target``, sorted; of a small model all of them."""
    if len(names) <= MOST_COMPARED:
        return sorted(names)
    by_length: dict[int, list[str]] = {}
    for name in names:
        by_length.setdefault(_alike(target, name), []).append(name)
    found: list[str] = []
    for length in sorted(by_length, reverse=True):
        found += by_length[length][: MOST_COMPARED - len(found)]
    return sorted(found)


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _modules_above(name: str) -> list[str]:
    parts = name.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
