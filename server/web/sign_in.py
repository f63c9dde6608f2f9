"""Signing in and out on a page, without a script."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode

from fastapi import APIRouter, FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from .access_log import AccessLog
from .callers import Callers, actor, cookie_name
from .pages import Pages
from .root_path import path_of, root_of
from .tokens import ANYBODY, Right, Token
from .users import BadUser
from .wrong_tokens import TooManyWrong

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
UNKNOWN = "That is no token of this server, or it was revoked."
_FIELDS = 8
# A path of this server, and nothing that a browser could read as the name of another.
_OWN = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def sign_in_page(
    pages: Pages, connection: HTTPConnection, status: int = 401, problem: str = ""
) -> Response:
    """Return the page that asks for a token, and leads on to what was asked for."""
    answer = pages.sign_in(connection.scope, _asked(connection), problem, status)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def signed_in(connection: HTTPConnection, token: Token, target: str) -> Response:
    """Go on to a page, and have the browser remember who signed in.

    The cookie is sent along where somebody follows a link from a chat to a page of this server,
    which `SameSite=Strict` would withhold; with what changes anything no other site's page may
    send it, and the `Origin` of that is checked besides.
    """
    response = RedirectResponse(target, 303)
    response.set_cookie(
        cookie_name(connection.scope),
        token.session,
        path=root_of(connection.scope) or "/",
        httponly=True,
        samesite="lax",
        secure=connection.url.scheme == "https",
    )
    return response


def own_path(target: str, root: str = "") -> str:
    """Return a path of this server as it was asked for; the list of runs for anything else.

    Below a `root` only what is there is this server's.
    """
    path = unquote(re.split("[?#]", target, maxsplit=1)[0])
    own = _OWN.fullmatch(target) and path.startswith(f"{root}/") and ".." not in path.split("/")
    return target if own else f"{root}/"


def without_token(connection: HTTPConnection) -> str:
    """Return the path that was asked for, without the token in its query."""
    query = [
        (name, value)
        for name, value in parse_qsl(connection.url.query, keep_blank_values=True)
        if name != "token"
    ]
    # One slash only: "//name" would lead to another host.
    target = "/" + quote(connection.scope["path"].lstrip("/"))
    return f"{target}?{urlencode(query)}" if query else target


def add_sign_in(app: FastAPI, pages: Pages, callers: Callers, log: AccessLog) -> None:
    """Add the routes by which somebody signs in and out, and have `log` say so."""
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN)
    def ask(request: Request) -> Response:
        if callers.wanted:
            return sign_in_page(pages, request, 200)
        return RedirectResponse(f"{root_of(request.scope)}/", 303)

    @router.post(SIGN_IN)
    async def take(request: Request) -> Response:
        form = _form(await request.body())
        target = own_path(form.get("next", ""), root_of(request.scope))
        try:
            token = callers.caller(request, form.get("token", "").strip() or "-")
        except TooManyWrong as error:
            answer = pages.sign_in(request.scope, target, str(error), 429)
            answer.headers["Retry-After"] = str(error.seconds)
            return answer
        if token is None:
            return pages.sign_in(request.scope, target, UNKNOWN, 401)
        if refusal := token.refusal(Right.LOOK):
            return pages.sign_in(request.scope, target, refusal, 403)
        if token is ANYBODY:
            return RedirectResponse(target, 303)
        log.add(actor(request, token), "sign_in")
        return signed_in(request, token, target)

    @router.post(SIGN_OUT)
    async def leave(request: Request) -> Response:
        with suppress(TooManyWrong, BadUser):
            token = callers.caller(request)
            if token is not None and callers.signed_in(request):
                callers.sign_out(token)
                log.add(actor(request, token), "sign_out")
        root = root_of(request.scope)
        response = RedirectResponse(f"{root}/", 303)
        response.delete_cookie(cookie_name(request.scope), path=root or "/")
        return response

    app.include_router(router)


def _asked(connection: HTTPConnection) -> str:
    """Return the page that somebody wants to see, to which signing in leads."""
    get = connection.scope["method"] in ("GET", "HEAD")
    leads = get and path_of(connection.scope) != SIGN_IN
    return own_path(without_token(connection) if leads else "", root_of(connection.scope))


def _form(body: bytes) -> dict[str, str]:
    """Read a form as browsers send it; of a field that is there twice the first."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
