"""Explanations in words, those that say the same of many parameters as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...protocol.explanations import Explanation, Snippet
from .alike import nameless, names_of

_AROUND = 2
_INDENT = "    "


def explanation_lines(explanations: Iterable[Explanation]) -> Iterator[str]:
    """Yield what is wrong with each group of parameters, with an empty line in between."""
    for number, group in enumerate(_grouped(explanations)):
        if number:
            yield ""
        first = group[0]
        names = [each.name for each in group]
        place = f" at {first.where}" if first.where else ""
        yield f"{names_of(names)}: {first.cause}{place}"
        yield f"{_INDENT}{first.detail}"
        yield f"{_INDENT}{first.advice}"
        if first.source is not None:
            yield from _source_lines(first.source)


def _grouped(explanations: Iterable[Explanation]) -> Iterable[Sequence[Explanation]]:
    """Return explanations that differ in the name alone, in the order of the first of each."""
    groups: dict[tuple[str | None, ...], list[Explanation]] = {}
    for each in explanations:
        key = (each.cause, each.where, nameless(each.detail, each.name))
        groups.setdefault(key, []).append(each)
    return groups.values()


def _source_lines(source: Snippet) -> Iterator[str]:
    """Yield the line that is meant, marked, with those around it."""
    numbered = list(enumerate(source.lines, source.first))
    near = [(number, line) for number, line in numbered if abs(number - source.line) <= _AROUND]
    width = len(str(near[-1][0]))
    for number, line in near:
        mark = ">" if number == source.line else " "
        yield f"{_INDENT}{mark} {number:{width}} | {line.expandtabs(4)}".rstrip()
