"""The pages: each is a template with a documented context."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, FastAPI, Query
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

from ..export.check.page import CheckPage
from ..export.parquet import has_parquet
from ..export.report.page import ReportPage
from ..protocol import limits
from ..protocol.audit import Action
from ..protocol.cause_pages import CAUSES, CausePage, cause_page
from ..protocol.run_names import numbered
from ..protocol.version import VERSION
from ..store.runs import run_row
from .assets import STATIC, TEMPLATES
from .audit_page import AuditPage, audit_page
from .callers import caller_of
from .cause_markup import cause_markup
from .dependencies import RunOf, StoreOf, parts_of
from .files import NO_CACHE, Files
from .openapi import Route, routes_of
from .root_path import root_of
from .tokens import NOBODY

_TAG_DIGITS = 16
Sought = Annotated[str, Query(max_length=limits.NAME_CHARACTERS, pattern=r"^[^\x00]*$")]


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
    parquet: bool
    """Can Parquet be written here?"""


@dataclass(frozen=True)
class ComparePage:
    """Several runs beside each other, which the address names."""

    template: ClassVar[str] = "compare.html"
    version: str


@dataclass(frozen=True)
class DocsPage:
    """The REST API, from its OpenAPI document."""

    template: ClassVar[str] = "docs.html"
    version: str
    routes: list[Route]


@dataclass(frozen=True)
class CausesPage:
    """Every cause, each with a link to its page."""

    template: ClassVar[str] = "causes.html"
    version: str
    causes: list[CausePage]


@dataclass(frozen=True)
class CauseTextPage:
    """What a cause is, why nothing says so, and how to mend it."""

    template: ClassVar[str] = "cause.html"
    version: str
    title: str
    text: Markup


@dataclass(frozen=True)
class ErrorPage:
    """What went wrong, and what to do."""

    template: ClassVar[str] = "error.html"
    version: str
    title: str
    message: str


@dataclass(frozen=True)
class SignInPage:
    """The page that asks for a token."""

    template: ClassVar[str] = "sign_in.html"
    version: str
    target: str
    """The path to go on to."""
    problem: str
    """What is wrong with the token that was given, or ""."""


@dataclass(frozen=True)
class MissingRunPage:
    """A run that is not there, and where it may be."""

    template: ClassVar[str] = "missing_run.html"
    version: str
    run: str


@dataclass(frozen=True)
class Reader:
    """Who looks at a page, which is the one place that tells it what it may do."""

    name: str = ""
    """Of the token, "" where none is wanted."""
    barred: str | None = None
    """Why nothing may be changed, or None."""
    signed_in: bool = False
    """Is there a cookie, so that one can sign out?"""


STRANGER = Reader()
"""Whoever looks at a page that is the same for everybody."""

Page = (
    AuditPage
    | RunsPage
    | RunPage
    | ComparePage
    | DocsPage
    | CausesPage
    | CauseTextPage
    | ErrorPage
    | MissingRunPage
    | SignInPage
    | ReportPage
    | CheckPage
)


class Pages:
    """Renders pages; the one place where markup is made."""

    def __init__(self, templates: Path = TEMPLATES) -> None:
        self.static = Files("static", STATIC)
        self._environment = Environment(
            loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined
        )

    def markup(self, page: Page, reader: Reader = STRANGER, root: str = "") -> str:
        """Render a page.

        A template sees its context as `page`, as `reader` who looks at it, as `root` the path
        below which the server is reached, and as `static` the address below which the page finds
        files; nothing else.
        """
        return self._environment.get_template(page.template).render(
            page=page, reader=reader, root=root, static=root + self.static.address()
        )

    def answer(self, page: Page, request: Request) -> Response:
        """Render a page, or answer with 304 when the browser has the very same."""
        response = self._html(request.scope, page, reader_of(request))
        # Weak, since the same page may be compressed.
        tag = f'W/"{hashlib.sha256(response.body).hexdigest()[:_TAG_DIGITS]}"'
        response.headers["ETag"] = tag
        known = request.headers.get("if-none-match", "").split(",")
        if tag in (each.strip() for each in known):
            return NotModifiedResponse(response.headers)
        return response

    def error(
        self, scope: Scope, status: int, title: str, message: str, reader: Reader = STRANGER
    ) -> Response:
        """Render the page that says what went wrong."""
        return self._html(scope, ErrorPage(VERSION, title, message), reader, status)

    def sign_in(self, scope: Scope, target: str, problem: str, status: int) -> Response:
        """Render the page that asks for a token, and then leads on to a path."""
        return self._html(scope, SignInPage(VERSION, target, problem), STRANGER, status)

    def missing_run(self, request: Request, run: str) -> Response:
        """Render the page that says where a run that is not there may be."""
        return self._html(request.scope, MissingRunPage(VERSION, run), reader_of(request), 404)

    def _html(self, scope: Scope, page: Page, reader: Reader, status: int = 200) -> Response:
        markup = self.markup(page, reader, root_of(scope))
        return HTMLResponse(markup, status, {"Cache-Control": NO_CACHE})


def reader_of(connection: HTTPConnection) -> Reader:
    """Return who looks, as far as the request says."""
    caller = caller_of(connection.scope) or NOBODY
    return Reader(caller.name, caller.barred, parts_of(connection).callers.signed_in(connection))


def add_pages(app: FastAPI, pages: Pages) -> None:
    """Add the routes of the pages and of the files that they use."""
    app.mount(pages.static.path, pages.static)
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    def runs_page(request: Request) -> Response:
        return pages.answer(RunsPage(VERSION), request)

    @router.get("/runs/{run}")
    def run_page(run: RunOf, store: StoreOf, request: Request) -> Response:
        with store.read() as connection:
            row = run_row(connection, run)
        if request.path_params["run"] != row.id:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{root_of(request.scope)}/runs/{row.id}{query}")
        return pages.answer(RunPage(VERSION, row.id, numbered(row), has_parquet()), request)

    @router.get("/compare")
    def compare_page(request: Request) -> Response:
        return pages.answer(ComparePage(VERSION), request)

    @router.get("/audit")
    def audit(
        request: Request,
        store: StoreOf,
        actor: Sought = "",
        run: Sought = "",
        action: Action | Literal[""] = "",
        before: Sought | None = None,
    ) -> Response:
        with store.read() as connection:
            page = audit_page(connection, VERSION, actor, run, action or None, before)
        return pages.answer(page, request)

    @router.get("/docs")
    def docs_page(request: Request) -> Response:
        return pages.answer(DocsPage(VERSION, routes_of(app.openapi())), request)

    @router.get("/causes")
    def causes_page(request: Request) -> Response:
        return pages.answer(CausesPage(VERSION, [cause_page(each) for each in CAUSES]), request)

    @router.get("/causes/{cause}")
    def cause_text_page(cause: str, request: Request) -> Response:
        if cause not in CAUSES:
            root = root_of(request.scope)
            message = f"{root}/causes lists every cause that there is."
            return pages.error(request.scope, 404, "No such cause", message, reader_of(request))
        page = cause_page(cause)
        text = cause_markup(page, root_of(request.scope))
        return pages.answer(CauseTextPage(VERSION, page.title, text), request)

    app.include_router(router)
