"""Conditions of gates: a small Python-like language, compiled once and safe by construction.

A text becomes a tree of closures over float64 numbers. Only the node kinds that
:class:`_Builder` names are taken; nothing is ever evaluated as Python code, and the only values
within reach are those that the caller hands to :meth:`Condition.evaluate`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from ..base.errors import ConditionError
from . import arithmetic
from .arithmetic import Evaluate, Part, Values
from .functions import FUNCTIONS
from .names import BEFORE_GRADIENT, LONGEST_NAME, NORMS
from .scanner import ALLOWED, MAX_DEPTH, scan, too_deep

MAX_NODES = 200
MAX_EXPONENT = 8.0

_REFUSED = {
    ast.Attribute: "an attribute",
    ast.Tuple: "a tuple",
    ast.Starred: "an unpacking",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.Constant: "the constant",
    ast.BinOp: "the operation",
    ast.UnaryOp: "the operation",
    ast.Compare: "the comparison",
}


@dataclass(frozen=True)
class Condition:
    """A compiled condition; ``names`` are the names that it uses."""

    text: str
    names: frozenset[str]
    _root: Evaluate = field(repr=False, compare=False)

    @property
    def needs_norm(self) -> bool:
        """Whether the gradient's norm at the site must be known to decide."""
        return not NORMS.isdisjoint(self.names)

    @property
    def known_in_forward(self) -> bool:
        """Whether it asks for nothing that comes later than a step's forward, or changes in it."""
        return self.names <= BEFORE_GRADIENT

    @property
    def is_constant(self) -> bool:
        """Whether it decides the same whatever happens."""
        return not self.names

    def evaluate(self, values: Values) -> bool:
        """Decide with the present values of the names.

        Raises :class:`ConditionError` with one sentence for a name that ``values`` lacks, a
        division by zero, an overflow, a function outside of its domain, and where the truth of
        NaN is asked. As in Python, a comparison with NaN is false (but for ``!=``), and what
        ``and``, ``or`` and ``if`` do not reach is not evaluated.
        """
        return arithmetic.truth(self._root(values), Part(self.text, 0))


def compile_condition(text: str) -> Condition:
    """Compile a condition; raise :class:`ConditionError` for everything the language has not.

    A condition without names is tried at once, so that ``1 / 0`` is refused here.
    """
    scan(text)
    builder = _Builder(text)
    condition = Condition(text, frozenset(builder.names), builder.root)
    if condition.is_constant:
        condition.evaluate({})
    return condition


def _parse(text: str) -> ast.expr:
    """Parse a scanned text; its columns are those of the text without leading spaces."""
    try:
        return ast.parse(text.lstrip(" "), mode="eval").body
    except SyntaxError as error:
        indent = len(text) - len(text.lstrip(" "))
        # An offset of 0 is the parser's word for the end of the text.
        column = min((error.offset or len(text) + 1) - 1 + indent, len(text))
        # Python's guess about a forgotten comma is misleading where there are no tuples.
        said = error.msg.partition(". Perhaps")[0]
        rest = text[column:].strip()
        where = f"at {rest[:20]!r}" if rest else "at its end"
        raise ConditionError(
            f"the condition cannot be read {where}: {said}", column, text
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConditionError(
            f"the condition is too much for the parser: {type(error).__name__}", 0
        ) from None


class _Builder:
    """Turns the tree of a text into closures: one method for each kind of node that is taken."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._text = text
        self._indent = len(text) - len(text.lstrip(" "))
        self._nodes = 0
        self._kinds: dict[type[ast.expr], Callable[..., Evaluate]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.BoolOp: self._logical,
            ast.Compare: self._compare,
            ast.IfExp: self._choice,
            ast.Call: self._call,
        }
        self.root = self._build(_parse(text), 1)

    def _build(self, node: ast.expr, depth: int) -> Evaluate:
        self._count(node, 1)
        if depth > MAX_DEPTH:
            raise too_deep(self._part(node).column, self._text)
        build = self._kinds.get(type(node))
        if build is None:
            raise self._refused(node)
        return build(node, depth + 1)

    def _count(self, node: ast.expr, more: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            raise self._error(node, f"the condition has more than {MAX_NODES} parts; shorten it")

    def _constant(self, node: ast.Constant, _: int) -> Evaluate:
        if not isinstance(node.value, (bool, int, float)):
            raise self._refused(node)
        return arithmetic.constant(float(node.value))

    def _name(self, node: ast.Name, _: int) -> Evaluate:
        if node.id in FUNCTIONS:
            raise self._error(node, f"{node.id!r} is a function; write {node.id}(...)")
        if len(node.id) > LONGEST_NAME:
            raise self._error(node, f"no metric has a name of more than {LONGEST_NAME} characters")
        self.names.add(node.id)
        return arithmetic.name(node.id, self._part(node))

    def _unary(self, node: ast.UnaryOp, depth: int) -> Evaluate:
        operator = arithmetic.UNARY.get(type(node.op))
        if operator is None:
            raise self._refused(node)
        return operator(self._build(node.operand, depth), self._part(node.operand))

    def _binary(self, node: ast.BinOp, depth: int) -> Evaluate:
        """Build a whole chain of operations such as ``a + b - c``, which is one level deep."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        self._count(node, len(chain) - 1)
        first = self._build(chain[-1].left, depth)
        return arithmetic.fold(first, [self._operation(part, depth) for part in reversed(chain)])

    def _operation(self, node: ast.BinOp, depth: int) -> arithmetic.Operation:
        operator = arithmetic.BINARY.get(type(node.op))
        if operator is None:
            raise self._refused(node)
        if isinstance(node.op, ast.Pow):
            self._check_exponent(node.right)
        right = self._build(node.right, depth)
        return arithmetic.Operation(operator, right, self._part(node))

    def _check_exponent(self, node: ast.expr) -> None:
        inner = node
        if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, (ast.USub, ast.UAdd)):
            inner = inner.operand
        value = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value > MAX_EXPONENT:
            raise self._error(
                node,
                f"the exponent {self._part(node).shown} is not allowed; "
                f"an exponent is a number from -{MAX_EXPONENT:g} to {MAX_EXPONENT:g}",
            )

    def _logical(self, node: ast.BoolOp, depth: int) -> Evaluate:
        operands = [(self._build(value, depth), self._part(value)) for value in node.values]
        return arithmetic.logical(operands, stop_at=isinstance(node.op, ast.Or))

    def _compare(self, node: ast.Compare, depth: int) -> Evaluate:
        operators = [arithmetic.COMPARISONS.get(type(operator)) for operator in node.ops]
        known = [operator for operator in operators if operator is not None]
        if len(known) < len(operators):
            raise self._refused(node)
        first, *others = [self._build(part, depth) for part in (node.left, *node.comparators)]
        return arithmetic.chain(first, list(zip(known, others, strict=True)))

    def _choice(self, node: ast.IfExp, depth: int) -> Evaluate:
        test = self._build(node.test, depth)
        then, otherwise = self._build(node.body, depth), self._build(node.orelse, depth)
        return arithmetic.choice(test, self._part(node.test), then, otherwise)

    def _call(self, node: ast.Call, depth: int) -> Evaluate:
        function = FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None:
            called = self._part(node.func).shown
            raise self._error(
                node, f"a call of {called} is not allowed; functions are {', '.join(FUNCTIONS)}"
            )
        if node.keywords:
            raise self._error(node, "a named argument or '**' is not allowed in a call")
        arguments = [self._build(argument, depth) for argument in node.args]
        if not function.takes(len(arguments)):
            raise self._error(node, f"{function.name} takes {function.wants}, not {len(arguments)}")
        return arithmetic.call(function, arguments, self._part(node))

    def _part(self, node: ast.expr) -> Part:
        """Return where a node is; columns in the tree are bytes, which ASCII makes characters."""
        end = None if node.end_col_offset is None else node.end_col_offset + self._indent
        return Part(self._text, node.col_offset + self._indent, end)

    def _error(self, node: ast.expr, message: str) -> ConditionError:
        return ConditionError(message, self._part(node).column, self._text)

    def _refused(self, node: ast.expr) -> ConditionError:
        kind = _REFUSED.get(type(node), f"an expression of kind {type(node).__name__}")
        shown = self._part(node).shown
        return self._error(node, f"{kind} ({shown}) is not allowed in a condition; {ALLOWED}")
