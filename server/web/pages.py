"""The pages: each is a template with a documented context."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fastapi import APIRouter, FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..protocol.version import VERSION
from ..store.runs import run_row
from .assets import STATIC, TEMPLATES, plotly_script
from .dependencies import StoreOf
from .openapi import Route, routes_of

NO_CACHE = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class RunsPage:
    """The list of runs."""

    template: ClassVar[str] = "runs.html"
    version: str


@dataclass(frozen=True)
class RunPage:
    """One run."""

    template: ClassVar[str] = "run.html"
    version: str
    run_id: str
    run_name: str


@dataclass(frozen=True)
class DocsPage:
    """The REST API, from its OpenAPI document."""

    template: ClassVar[str] = "docs.html"
    version: str
    routes: list[Route]


@dataclass(frozen=True)
class ErrorPage:
    """What went wrong, and what to do."""

    template: ClassVar[str] = "error.html"
    version: str
    title: str
    message: str


Page = RunsPage | RunPage | DocsPage | ErrorPage


class Pages:
    """Renders pages; the one place where markup is made."""

    def __init__(self, templates: Path = TEMPLATES) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined
        )

    def render(self, page: Page, status: int = 200) -> Response:
        """Render a page; a template sees its context as `page`, and nothing else."""
        markup = self._environment.get_template(page.template).render(page=page)
        return HTMLResponse(markup, status, NO_CACHE)

    def error(self, status: int, title: str, message: str) -> Response:
        """Render the page that says what went wrong."""
        return self.render(ErrorPage(VERSION, title, message), status)


class Static(StaticFiles):
    """Files that a browser keeps, and asks each time whether they are still the same."""

    def __init__(self, folder: Path, only: str | None = None) -> None:
        """Serve a folder, or `only` one file of it."""
        super().__init__(directory=folder)
        self._only = only

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file; nothing but the one when there is only one."""
        if self._only not in (None, path):
            return "", None
        return super().lookup_path(path)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a file, or with 304 when the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(NO_CACHE)
        return response


def add_pages(app: FastAPI, pages: Pages) -> None:
    """Add the routes of the pages and of the files that they use."""
    script = plotly_script()
    app.mount("/static", Static(STATIC), name="static")
    app.mount("/vendor", Static(script.parent, only=script.name), name="vendor")
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    def runs_page() -> Response:
        return pages.render(RunsPage(VERSION))

    @router.get("/runs/{run}")
    def run_page(run: str, store: StoreOf) -> Response:
        with store.read() as connection:
            row = run_row(connection, run)
        return pages.render(RunPage(VERSION, row.id, row.name))

    @router.get("/docs")
    def docs_page() -> Response:
        return pages.render(DocsPage(VERSION, routes_of(app.openapi())))

    app.include_router(router)
