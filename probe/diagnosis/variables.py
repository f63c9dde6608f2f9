"""The way of a number through the variables of a script, which its source tells.

Nothing shows it while the script runs, for numbers have no history. So a number is lost that goes
from function to function by other ways than variables, attributes and returned values, or where
there is no source.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from ..base.source import Chain
from .statements import Function, read_functions


class Variables:
    """Follows numbers through the files that the calls of a trace are in; reads each once."""

    def __init__(self) -> None:
        self._files: dict[str, list[Function]] = {}

    def lead(self, left: Chain, back: Chain) -> bool:
        """Return whether a number that left torch in ``left`` may be in what ``back`` is given.

        From the innermost function outwards: it is in what the statement writes that let it leave,
        and in what is made of that; and, where the function returns it, in what its caller makes
        of it; until there is a function that ``back`` is in, too.
        """
        ends = list(self._sites(back))
        names: set[str] = set()
        given = True
        for function, begin in self._sites(left):
            here = function.statements[begin]
            if given:
                names |= here.writes
            common = next((i for i, (each, _) in enumerate(ends) if each is function), None)
            if common is not None:
                end = ends[common][1]
                if (given and begin == end) or _arrives(function, names, begin, end):
                    return True
            after, returned = follow(function, names, begin)
            names = (names | after) - function.own
            if any(_arrives(each, names - each.own, None, at) for each, at in ends[:common]):
                return True
            given = returned or (given and here.gives)
            if common is not None or not (given or names):
                return False
        return False

    def _sites(self, chain: Chain) -> Iterator[tuple[Function, int]]:
        """Yield the functions of a chain, each with the index of the statement that it is at."""
        for code, line in chain.frames:
            # What is written inside of a statement, such as a lambda, belongs to its caller's.
            if code.co_name.startswith("<") and code.co_name != "<module>":
                continue
            function = self._function(code, line)
            at = None if function is None else function.at(line)
            if function is None or at is None:
                return
            yield function, at

    def _function(self, code: CodeType, line: int) -> Function | None:
        file = code.co_filename
        if file not in self._files:
            self._files[file] = read_functions(file)
        around = [each for each in self._files[file] if line in each.lines]
        innermost = max(around, key=lambda each: each.lines.start, default=None)
        return innermost if innermost is not None and innermost.name == code.co_name else None


def follow(
    function: Function, names: set[str], begin: int | None, end: int | None = None
) -> tuple[set[str], bool]:
    """Follow a number that is in ``names`` after statement ``begin``, until ``end`` begins.

    Without them, from the function's first statement, and to its last. Return the variables that
    it is in then, and whether it was handed to the caller before.
    """
    held: set[str] = set()
    given = False
    statements = function.statements
    surely = {each for at in (begin, end) if at is not None for each in statements[at].inside}
    for index in _order(function, begin):
        statement = statements[index]
        if index == end:
            held |= names
        elif not statement.reads.isdisjoint(names):
            names = names | statement.writes
            given = given or statement.gives
        elif surely.issuperset(statement.inside):
            names = names - statement.replaces
    return (names if end is None else held), given


def _order(function: Function, begin: int | None) -> Iterator[int]:
    """Yield what may run after a statement: what follows, and what its loop runs again."""
    statements = function.statements
    if begin is None:
        yield from range(len(statements))
        return
    yield from range(begin + 1, len(statements))
    loop = statements[begin].loop
    if loop is not None:
        inside = [i for i, each in enumerate(statements) if loop in each.inside]
        yield from range(inside[0], len(statements))


def _arrives(function: Function, names: set[str], begin: int | None, end: int) -> bool:
    """Return whether a number gets from one statement of a function to another."""
    held, _ = follow(function, names, begin, end)
    return not held.isdisjoint(function.statements[end].reads)
