"""The functions of a file, and what each of their statements reads and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgate.probe.diagnosis.statements import Function, Statement, read_functions


def read(tmp_path: Path, text: str) -> list[Function]:
    file = tmp_path / "script.py"
    file.write_text(text)
    return read_functions(str(file))


def only(tmp_path: Path, text: str) -> Statement:
    (whole,) = read(tmp_path, text)
    return whole.statements[0]


@pytest.mark.parametrize(
    ("text", "reads", "writes", "replaces"),
    [
        ("a = b + c", "b c", "a", "a"),
        ("a: int = b", "b int", "a", "a"),
        ("a, *b = c", "c", "a b", "a b"),
        ("a += b", "a b", "a", ""),
        ("a[i] = b", "a b i", "a", ""),
        ("a.x.y = b", ".x a b", ".y", ""),
        ("a.x[0] = b", ".x a b", ".x", ""),
        ("a = b.x.y()", ".x b", "a", "a"),
        ("(a := b)", "b", "a", "a"),
        ("a = [b for b in c]", "b c", "a", "a"),
        ("a = lambda b: b + c", "b c", "a", "a"),
        ("a.append(b)", "a b", "a", ""),
        ("a.x.update(b)", ".x a b", ".x", ""),
        ("self.update(b)", "b self", "", ""),
        ("a.show(b)", "a b", "", ""),
        ("c = a.append(b)", "a b", "c", "c"),
        ("for a in b:\n    c = a", "b", "a", "a"),
        ("with a as b:\n    c = b", "a", "b", "b"),
        ("while a:\n    b = 1", "a", "", ""),
        ("if a:\n    b = 1", "a", "", ""),
        ("return a", "a", "", ""),
    ],
)
def test_a_statement_reads_and_writes_variables(
    tmp_path: Path, text: str, reads: str, writes: str, replaces: str
) -> None:
    """And attributes, of whatever object; of a compound one it is the head that counts."""
    found = only(tmp_path, text)
    assert sorted(found.reads) == reads.split()
    assert sorted(found.writes) == writes.split()
    assert sorted(found.replaces) == replaces.split()


@pytest.mark.parametrize(
    ("text", "gives"), [("return a", True), ("b = yield a", True), ("b = a", False)]
)
def test_a_statement_gives_a_value_to_the_caller(tmp_path: Path, text: str, gives: bool) -> None:
    """By ``return`` and ``yield``."""
    _, function = read(tmp_path, f"def f(a):\n    {text}")
    assert function.statements[0].gives is gives


TEXT = """\
total = 0
def outer(a):
    global total
    b = (a
         + 1)
    def inner():
        nonlocal b
        c = b
        b = 2
    for i in range(3):
        if i:
            total = i
    with a:
        d = 1
"""


def test_functions_have_their_own_statements(tmp_path: Path) -> None:
    """The file first, without those of the functions inside; what is their own no other sees."""
    whole, outer, inner = read(tmp_path, TEXT)
    assert [f.name for f in (whole, outer, inner)] == ["<module>", "outer", "inner"]
    assert [len(f.statements) for f in (whole, outer, inner)] == [1, 7, 3]
    assert (outer.lines, inner.lines) == (range(2, 15), range(6, 10))
    assert outer.own == {"a", "i", "d"}
    assert inner.own == {"c"}
    assert whole.own == set()


def test_a_line_belongs_to_the_innermost_statement(tmp_path: Path) -> None:
    """Also one in the middle of a statement; a line of another function to none."""
    _, outer, _ = read(tmp_path, TEXT)
    written = [
        None if (at := outer.at(line)) is None else set(outer.statements[at].writes)
        for line in (5, 8, 10, 12, 14, 99)
    ]
    assert written == [{"b"}, None, {"i"}, {"total"}, {"d"}, None]


def test_branches_and_loops_around_a_statement_are_known(tmp_path: Path) -> None:
    """Not a ``with``, whose inside surely runs."""
    _, outer, _ = read(tmp_path, TEXT)
    inside = {next(iter(each.writes), ""): each for each in outer.statements}
    assert [type(each).__name__ for each in inside["total"].inside] == ["For", "If"]
    assert inside["total"].loop is inside["total"].inside[0]
    assert inside["d"].inside == ()
    assert inside["i"].loop is None


def test_what_is_no_python_has_no_functions(tmp_path: Path) -> None:
    """Nor has a file that is not there."""
    assert read(tmp_path, "this is no Python") == []
    (whole,) = read_functions(str(tmp_path / "missing.py"))
    assert whole.statements == ()
