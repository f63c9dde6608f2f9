"""The functions of a script as statements that read and write variables, from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..base.source import source_lines

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_ONCE = (ast.With, ast.AsyncWith, ast.ClassDef)
"""What surely runs its inside, and once."""
_COLLECTS = frozenset(
    {"add", "append", "appendleft", "extend", "insert", "push", "put", "setdefault", "update"}
)
"""Methods that put what they are given into their object."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement; of one that has others inside, its head alone."""

    lines: range
    reads: frozenset[str]
    """Variables, and attributes as ``.name``, of whatever object."""
    writes: frozenset[str]
    replaces: frozenset[str]
    """Variables of which it keeps nothing that was in them."""
    gives: bool
    """It hands a value to the caller: ``return`` or ``yield``."""
    inside: tuple[ast.stmt, ...]
    """The branches and loops that it is in, from the outermost."""

    @property
    def loop(self) -> ast.stmt | None:
        """The outermost loop that it is in."""
        return next((each for each in self.inside if isinstance(each, _LOOPS)), None)


@dataclass(frozen=True, eq=False)
class Function:
    """A function's own statements, in the order of the text; those of a file's top level, too."""

    name: str
    lines: range
    statements: tuple[Statement, ...]
    own: frozenset[str]
    """Variables that no other function sees."""

    def at(self, line: int) -> int | None:
        """Return the index of the statement that a line belongs to."""
        found = (i for i, statement in enumerate(self.statements) if line in statement.lines)
        return max(found, default=None)


def read_functions(file: str) -> list[Function]:
    """Read the functions of a file, outer ones before those inside of them; none if it has none.

    The first is the file's top level.
    """
    lines = source_lines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return []
    whole = range(1, len(lines) + 1)
    found = [Function("<module>", whole, tuple(_statements(tree.body, ())), frozenset())]
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            statements = tuple(_statements(node.body, ()))
            taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            own = {each.arg for each in taken}.union(*(each.replaces for each in statements))
            span = range(node.lineno, _end(node) + 1)
            found.append(Function(node.name, span, statements, frozenset(own - _shared(node))))
    return found


def _statements(body: Iterable[ast.stmt], inside: tuple[ast.stmt, ...]) -> Iterator[Statement]:
    for node in body:
        if isinstance(node, _FUNCTIONS):
            continue
        blocks = list(_blocks(node))
        heads = [each for each in ast.iter_child_nodes(node) if not _is_block(each)]
        parts = [part for head in heads for part in _walk(head)]
        last = max((_end(part) for part in parts), default=node.lineno) if blocks else _end(node)
        reads = {name for part in parts for name in _read(part)}
        writes = {name for part in parts for name in _written(part)}
        replaces = {part.id for part in parts if isinstance(part, ast.Name) and _is_stored(part)}
        if isinstance(node, ast.AugAssign):
            reads, replaces = reads | writes, set()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            writes |= _collected(node.value)
        yield Statement(
            range(node.lineno, last + 1),
            frozenset(reads),
            frozenset(writes),
            frozenset(replaces),
            any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in parts)
            or isinstance(node, ast.Return),
            inside,
        )
        within = inside if isinstance(node, _ONCE) else (*inside, node)
        for block in blocks:
            yield from _statements(block, within)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for holder in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        for name in ("body", "orelse", "finalbody"):
            if block := getattr(holder, name, None):
                yield block


def _is_block(node: ast.AST) -> bool:
    return isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all parts of an expression, but for what is not a variable of the function's.

    That is a variable of a comprehension or a lambda, and the name of a method that is called.
    """
    yield node
    hidden: list[ast.AST] = []
    if isinstance(node, ast.comprehension):
        hidden = [node.target]
    elif isinstance(node, ast.Lambda):
        hidden = [node.args]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        hidden = [node.func]
        yield from _walk(node.func.value)
    for child in ast.iter_child_nodes(node):
        if child not in hidden:
            yield from _walk(child)


def _read(part: ast.AST) -> Iterator[str]:
    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
        yield part.id
    elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
        yield f".{part.attr}"


def _written(part: ast.AST) -> Iterator[str]:
    if isinstance(part, (ast.Name, ast.Attribute, ast.Subscript)) and _is_stored(part):
        yield from _holder(part)


def _is_stored(part: ast.Name | ast.Attribute | ast.Subscript) -> bool:
    return isinstance(part.ctx, ast.Store)


def _holder(node: ast.expr) -> Iterator[str]:
    """Yield the variable or attribute that something is kept in: ``x`` of ``x[0]``."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield f".{node.attr}"


def _collected(call: ast.Call) -> set[str]:
    """Find what a call of a method puts something into."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _COLLECTS:
        return set(_holder(call.func.value)) - {"self", "cls"}
    return set()


def _shared(node: ast.AST) -> set[str]:
    found = (each for each in ast.walk(node) if isinstance(each, (ast.Global, ast.Nonlocal)))
    return {name for each in found for name in each.names}


def _end(node: ast.AST) -> int:
    line: int | None = getattr(node, "end_lineno", None)
    return line or 0
