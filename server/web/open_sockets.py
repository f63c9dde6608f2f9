"""The sockets that are open, by the token that opened them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..live.admission import Admission
from ..live.connection import Refused
from .tokens import Token


class OpenSockets:
    """Ends the sockets whose token is not what it was; for the event loop."""

    def __init__(self) -> None:
        self._open: dict[Admission, Token] = {}

    @contextmanager
    def admitted(self, token: Token, refused: Refused | None) -> Iterator[Admission]:
        """Admit a socket, or refuse it, for as long as it is open."""
        admission = Admission(refused, changes=token.barred is None)
        self._open[admission] = token
        try:
            yield admission
        finally:
            del self._open[admission]

    def end(self, ends: Callable[[Token], bool], message: str) -> None:
        """End the sockets of the tokens for which `ends` is true; they may try again."""
        for admission, token in list(self._open.items()):
            if ends(token):
                admission.take_back(Refused(message, retry=True, reason="token"))
