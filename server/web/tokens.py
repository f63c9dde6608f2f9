"""Tokens: who may do what, by name."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from pathlib import Path

# What an Authorization header can carry (RFC 6750, section 2.1).
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
SHORTEST = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_SESSION = b"gradgate session 1"
# What the ledger says of the commands of a script, and of the token that has no name.
_TAKEN = frozenset({"python", "token"})
LOOKS_ONLY = "This token may look, not change"
"""What a page says beside whatever cannot be used."""
_LINE = "NAME KIND TOKEN, such as `alice control mB3hbfrCvJ_xEyVZ-a41`"


class Right(Flag):
    """What somebody may do."""

    LOOK = auto()
    """See runs, and ask of a job what changes nothing."""
    CHANGE = auto()
    """Command a job; edit and delete runs."""
    INGEST = auto()
    """Send what a job measures."""


class Kind(Enum):
    """A kind of token, with what it allows."""

    VIEW = Right.LOOK
    CONTROL = Right.LOOK | Right.CHANGE
    PROBE = Right.INGEST
    FULL = Right.LOOK | Right.CHANGE | Right.INGEST
    NOTHING = Right(0)


NAMED = (Kind.VIEW, Kind.CONTROL, Kind.PROBE)
"""Kinds of tokens that have a name."""


class BadTokens(Exception):
    """Tokens cannot be used; the message says why, and never repeats one."""


@dataclass(frozen=True)
class Token:
    """What somebody shows to be let in."""

    name: str
    kind: Kind
    secret: str = field(repr=False)

    @property
    def session(self) -> str:
        """Return what a browser that signed in with it keeps: made from it, and not it.

        Whoever has that may do on pages what the token allows, as long as there is the token.
        """
        return hmac.new(self.secret.encode(), _SESSION, hashlib.sha256).hexdigest()

    @property
    def title(self) -> str:
        """Return who acts with it, as the audit log has it."""
        return self.name

    def signed(self, comment: str) -> str:
        """Return who commands with it: its title, and what the caller says in parentheses."""
        return f"{self.title} ({comment})" if self.title else comment

    @property
    def barred(self) -> str | None:
        """Return why whoever looks at a page with it may change nothing there, or None."""
        return None if Right.CHANGE in self.kind.value else self.looks_only

    @property
    def looks_only(self) -> str:
        """Return what a page says of it beside whatever cannot be used."""
        return LOOKS_ONLY

    def refusal(self, right: Right) -> str | None:
        """Return why something may not be done with it, or None."""
        if right in self.kind.value:
            return None
        kinds = " or ".join(each.name.lower() for each in NAMED if right in each.value)
        return self.lacks(kinds)

    def lacks(self, kinds: str) -> str:
        """Say that something wants another kind."""
        return (
            f"The token {self.name!r} is a {self.kind.name.lower()} token, and this wants a "
            f"{kinds} token."
        )


ANYBODY = Token("", Kind.FULL, "")
"""Whoever asks a server that wants no token."""
NOBODY = Token("", Kind.NOTHING, "")
"""Whoever shows no token where one is wanted."""


class Tokens:
    """Every token of a server; with none, everybody may do everything."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._by_secret = tuple((each.secret.encode(), each) for each in tokens)
        self._by_session = tuple((each.session.encode(), each) for _, each in self._by_secret)

    def __contains__(self, token: Token) -> bool:
        return any(token == each for _, each in self._by_secret)

    @property
    def wanted(self) -> bool:
        """Return whether there is any, so that nobody is let in without one."""
        return bool(self._by_secret)

    def find(self, secret: str) -> Token | None:
        """Return the token that is meant; every one is compared, each in constant time."""
        return _find(self._by_secret, secret)

    def find_session(self, session: str) -> Token | None:
        """Return the token that a browser signed in with, in the same way."""
        return _find(self._by_session, session)


def _find(known: Iterable[tuple[bytes, Token]], shown: str) -> Token | None:
    given = shown.encode()
    found = None
    for secret, token in known:
        if hmac.compare_digest(given, secret):
            found = token
    return found


def read_file(path: Path) -> tuple[Token, ...]:
    """Read the tokens in a file that nobody but its owner can read; raises `BadTokens`."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise BadTokens(
                    f"The file {path} can be read by others (its mode is {mode:04o}): "
                    f"`chmod 600 {path}`, and replace the tokens if others may have seen them."
                )
            lines = file.read().splitlines()
    except OSError as error:
        raise BadTokens(f"The file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadTokens(f"The file {path} is no text in UTF-8.") from error
    return read_lines(lines, f"the file {path}")


def read_lines(lines: Sequence[str], place: str) -> tuple[Token, ...]:
    """Read a token from each line but empty ones and those that begin with `#`.

    Raises `BadTokens`, with the place in words and the number of the line.
    """
    found: dict[str, Token] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            token = _read(text)
            if token.name in found:
                raise BadTokens("an earlier line has the same name")
            if any(token.secret == other.secret for other in found.values()):
                raise BadTokens("an earlier line has the same token")
        except BadTokens as error:
            raise BadTokens(f"Line {number} of {place} is no token: {error}.") from error
        found[token.name] = token
    if not found:
        raise BadTokens(f"There is no token in {place}: write a line for each, {_LINE}.")
    return tuple(found.values())


def _read(line: str) -> Token:
    match line.split():
        case [name, kind, secret]:
            pass
        case _:
            raise BadTokens(f"it has to be {_LINE}")
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise BadTokens(
            "a name has up to 32 letters, digits and any of ._-, and is none of "
            f"{', '.join(sorted(_TAKEN))}"
        )
    kinds = {each.name.lower(): each for each in NAMED}
    if kind not in kinds:
        raise BadTokens(f"a kind is one of {', '.join(kinds)}")
    if len(secret) < SHORTEST or not TOKEN.fullmatch(secret):
        raise BadTokens(
            f"a token has at least {SHORTEST} letters, digits and any of -._~+/=; "
            '`python -c "import secrets; print(secrets.token_urlsafe(24))"` makes one'
        )
    return Token(name, kinds[kind], secret)
