"""Packed answers: columns in binary, for a client that says that it reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from ..protocol.columns import MEDIA_TYPE, Column, coded, halves, numbers, pack, words
from ..store.parameters import ParameterColumns
from ..store.samples import Recent

EITHER: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
"""What OpenAPI says of a route that answers in JSON, or packed."""

_VARY = {"Vary": "Accept"}


def _is_wanted(request: Request) -> bool:
    return MEDIA_TYPE in request.headers.get("accept", "")


Packed = Annotated[bool, Depends(_is_wanted)]


def in_json(text: str) -> Response:
    """Answer in JSON where another client may be answered in columns."""
    return Response(text, media_type="application/json", headers=_VARY)


def in_columns(columns: Mapping[str, Column]) -> Response:
    """Answer in columns."""
    return Response(pack(columns), media_type=MEDIA_TYPE, headers=_VARY)


def packed_parameters(found: ParameterColumns) -> dict[str, Column]:
    """Return the rows of parameters as columns."""
    latest = found.latest
    return {
        "names": words(found.names),
        "module": coded(found.module),
        "shape": coded([tuple(shape) for shape in found.shape]),
        "numel": coded(found.numel),
        "dtype": coded(found.dtype),
        "device": coded(found.device),
        "in_optimizer": coded(found.in_optimizer),
        "removed": coded(found.removed),
        "state": numbers(latest.states),
        "frozen": coded(found.frozen),
        "grad_norm": numbers(latest.grad_norm),
        "grad_max": numbers(latest.grad_max),
        "update_ratio": numbers(latest.update_ratio),
        "weight_norm": numbers(latest.weight_norm),
        "step": coded([latest.step] * len(found.names)),
        "gate": coded(found.gate),
        "cause": coded(found.cause),
    }


def packed_sparklines(recent: Recent) -> dict[str, Column]:
    """Return the last samples as columns, sample by sample."""
    return {
        "steps": numbers(np.array(recent.steps, np.float64)),
        "grad_norm": halves(recent.values),
        "states": numbers(recent.states.ravel()),
    }
