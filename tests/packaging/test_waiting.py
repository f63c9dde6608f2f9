"""How Gradgate waits: so that nothing that is cancelled goes on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SOURCES = [
    path
    for room in ("server", "probe", "pytest_plugin")
    for path in sorted((CHECKOUT / room).rglob("*.py"))
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_nothing_waits_by_what_loses_a_cancellation(source: Path) -> None:
    """In Python 3.11 ``asyncio.wait_for`` does, if what it waits for comes in the same moment."""
    used = [
        node.lineno
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "wait_for"
        and isinstance(node.value, ast.Name)
        and node.value.id == "asyncio"
    ]
    assert used == []
