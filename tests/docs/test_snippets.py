"""Snippets of the documents are what they look like."""

from __future__ import annotations

import ast
import json

import pytest

from tests.support.documents import NAMES, read, snippets


@pytest.mark.parametrize("name", NAMES)
def test_python_and_json_of_a_page_parse(name: str) -> None:
    """What is marked as Python or JSON is that, on pages whose snippets are pieces, too."""
    for snippet in snippets(read(name), "python"):
        ast.parse(snippet)
    for snippet in snippets(read(name), "json"):
        json.loads(snippet)
