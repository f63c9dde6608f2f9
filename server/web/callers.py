"""Who asks: the token that a request or a WebSocket shows."""

from __future__ import annotations

import asyncio
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..store.audit import Actor
from .access_log import AccessLog
from .open_sockets import OpenSockets
from .settings import Settings
from .token_file import EVERY, TokenFile
from .tokens import ANYBODY, Kind, Token, Tokens
from .users import BadUser, User
from .wrong_tokens import TooManyWrong, WrongTokens

REVOKED = "This token was revoked or changed: sign in again, or give the job another."
_CALLER, _USER = "gradgate.caller", "gradgate.user"


class Callers:
    """Knows the tokens of a server, the sockets that they opened, and who shows wrong ones.

    What happens to them it tells `log`. For the event loop. Raises `BadTokens` where the file of
    tokens is wrong.
    """

    def __init__(self, settings: Settings, log: AccessLog) -> None:
        self._log = log
        full = () if settings.token is None else (Token("token", Kind.FULL, settings.token),)
        self._fixed = (*full, *settings.tokens)
        self._file = None if settings.token_file is None else TokenFile(settings.token_file)
        self._tokens = self._all()
        self._users = settings.users is not None
        self._wrong = WrongTokens()
        self.sockets = OpenSockets()

    @property
    def wanted(self) -> bool:
        """Return whether nobody is let in without a token, or by name of a trusted proxy."""
        return self._users or self._tokens.wanted

    def caller(self, connection: HTTPConnection, given: str | None = None) -> Token | None:
        """Return the token that is shown, in a header, a cookie or as `given`; None for none.

        Where none is shown, or no more than a cookie that is of no use, it is the user whom a
        trusted proxy names. `ANYBODY` where none is wanted. A wrong token is counted; raises
        `TooManyWrong` where the address has shown too many, before anything that it shows is
        looked at, and `BadUser`.
        """
        if not self.wanted:
            return ANYBODY
        secret = given or _bearer(connection)
        session = connection.cookies.get(cookie_name(connection.scope))
        shown = secret or session
        if not shown:
            return _user_of(connection.scope)
        host = "" if connection.client is None else connection.client.host
        try:
            self._wrong.check(host)
        except TooManyWrong:
            self._log.wrong_token(host)
            raise
        found = self._tokens.find(shown) if secret else self._tokens.find_session(shown)
        if found is None and self._wrong.add(host, shown):
            self._log.wrong_token(host)
        return found if secret or found is not None else _user_of(connection.scope)

    def signed_in(self, connection: HTTPConnection) -> bool:
        """Return whether it is by its cookie that a browser is let in."""
        cookie = connection.cookies.get(cookie_name(connection.scope))
        return bool(cookie) and not _bearer(connection) and self.wanted

    def sign_out(self, token: Token) -> None:
        """End the sockets of a token: other browsers with it connect again by themselves."""
        self.sockets.end(lambda each: each == token, "Signed out.")

    async def watch_file(self) -> None:
        """Read the file of tokens again whenever it changes, until cancelled."""
        while self._file is not None:
            await asyncio.sleep(EVERY)
            before = self._file.tokens
            if await run_in_threadpool(self._file.read_again):
                self._tokens = self._all()
                self._log.tokens_changed(before, self._file.tokens)
                self.sockets.end(self._is_gone, REVOKED)

    def _is_gone(self, caller: Token) -> bool:
        return not isinstance(caller, User) and caller not in self._tokens

    def _all(self) -> Tokens:
        return Tokens((*self._fixed, *(() if self._file is None else self._file.tokens)))


def remember_caller(scope: Scope, caller: Token | None) -> None:
    """Keep who asks with what is asked, so that one answer holds for all of it."""
    scope[_CALLER] = caller


def caller_of(scope: Scope) -> Token | None:
    """Return who asks, as the guard has found; None for somebody who shows no token that is known.

    What anybody may have is asked by `ANYBODY`.
    """
    return cast("Token | None", scope.get(_CALLER, ANYBODY))


def remember_user(scope: Scope, user: User | BadUser | None) -> None:
    """Keep whom a trusted proxy names, or why it cannot be."""
    scope[_USER] = user


def _user_of(scope: Scope) -> User | None:
    user = scope.get(_USER)
    if isinstance(user, BadUser):
        raise user
    return cast("User | None", user)


def actor(connection: HTTPConnection, caller: Token) -> Actor:
    """Return who acts, as the audit log has it."""
    return Actor(caller.title, "" if connection.client is None else connection.client.host)


def cookie_name(scope: Scope) -> str:
    """Return the cookie of whoever signed in; cookies know no port, so the name has it."""
    server = scope.get("server")
    return f"gradgate_session_{server[1] if server else ''}"


def _bearer(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
