"""The OpenAPI document as rows for a page, since the usual viewers are loaded from a CDN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Argument:
    """A parameter of a route, in its path or query."""

    name: str
    place: str
    required: bool
    type: str


@dataclass(frozen=True)
class Route:
    """One route of the REST API."""

    method: str
    path: str
    summary: str
    description: str
    arguments: list[Argument]
    answers: list[str]


def routes_of(document: Mapping[str, Any]) -> list[Route]:
    """Return the routes of an OpenAPI document, in its order."""
    return [
        Route(
            method=method.upper(),
            path=path,
            summary=operation.get("summary", ""),
            description=operation.get("description", ""),
            arguments=[_argument(each) for each in operation.get("parameters", [])],
            answers=[
                f"{status} {answer['description']}"
                for status, answer in operation["responses"].items()
            ],
        )
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def _argument(parameter: Mapping[str, Any]) -> Argument:
    schema = parameter.get("schema", {})
    kinds = [each.get("type", "") for each in schema.get("anyOf", [schema])]
    return Argument(
        name=parameter["name"],
        place=parameter["in"],
        required=parameter.get("required", False),
        type=" or ".join(kind for kind in kinds if kind),
    )
