"""The routes of the REST API as rows for a page."""

from __future__ import annotations

from gradgate.server.web.openapi import Argument, Route, routes_of


def test_a_route_and_its_arguments() -> None:
    """In the order of the document, each method by itself."""
    schema = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    arguments = [
        {"name": "run", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "from", "in": "query", "schema": schema},
        {"name": "by", "in": "header", "schema": {}},
    ]
    answers = {"200": {"description": "Fine"}, "422": {"description": "Wrong"}}
    document = {
        "paths": {
            "/b": {
                "get": {"summary": "S", "parameters": arguments, "responses": answers},
                "post": {"description": "D", "responses": {}},
            },
            "/a": {"get": {"responses": {}}},
        }
    }
    assert routes_of(document) == [
        Route(
            "GET",
            "/b",
            "S",
            "",
            [
                Argument("run", "path", True, "string"),
                Argument("from", "query", False, "integer or null"),
                Argument("by", "header", False, ""),
            ],
            ["200 Fine", "422 Wrong"],
        ),
        Route("POST", "/b", "", "D", [], []),
        Route("GET", "/a", "", "", [], []),
    ]
