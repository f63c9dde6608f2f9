"""The answers to what goes wrong."""

from __future__ import annotations

import json

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..protocol.models import Row
from ..store.refusals import Refusal, UnknownRun
from ..store.write_queue import WriterEnded
from .pages import Pages, reader_of
from .root_path import path_of, root_of


def add_refusals(app: FastAPI, pages: Pages) -> None:
    """Let an application answer a refusal, a wrong request or a failing store in words."""

    def answer(request: Request, status: int, title: str, message: str) -> Response:
        path = path_of(request.scope)
        if path.startswith("/api/") or path == "/healthz":
            return JSONResponse({"detail": message}, status)
        return pages.error(request.scope, status, title, message, reader_of(request))

    @app.exception_handler(UnknownRun)
    async def unknown_run(request: Request, refusal: UnknownRun) -> Response:
        if path_of(request.scope).startswith("/api/"):
            return answer(request, refusal.status, refusal.title, str(refusal))
        return pages.missing_run(request, refusal.run)

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return answer(request, refusal.status, refusal.title, str(refusal))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # What was given stays out of the answer: NaN or half a character could not be written.
        faults = [
            {name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()
        ]
        return Response(json.dumps({"detail": faults}), 422, media_type="application/json")

    @app.exception_handler(WriterEnded)
    @app.exception_handler(SQLAlchemyError)
    async def store_failed(request: Request, _: SQLAlchemyError | WriterEnded) -> Response:
        message = "The store cannot be read or written: see GET /healthz, and try again."
        return answer(request, 503, "The store fails", message)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and error.detail == "Not Found":
            root = root_of(request.scope)
            message = f"There is nothing at {request.url.path}: the list of runs is at {root}/ ."
            return answer(request, 404, "Not found", message)
        return await http_exception_handler(request, error)


class Fault(Row):
    """Why there is no answer, and what to do."""

    detail: str
