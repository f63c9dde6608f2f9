"""Users whom a trusted proxy names, of a single sign-on, say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .proxies import BadProxy
from .tokens import Kind, Token

LONGEST = 128
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
# Of two values a proxy may have made one, and in parentheses stands what a caller says of itself.
_NO_NAME = re.compile(r"[(),]")


class BadUser(Exception):
    """What a proxy says of a user cannot be; the message says why."""


@dataclass(frozen=True)
class User(Token):
    """Somebody whom a proxy names, in the place of a token."""

    @classmethod
    def of(cls, name: str, kind: Kind) -> User:
        """Return the user of a name."""
        return cls(name, kind, "")

    @property
    def title(self) -> str:
        """Return its name in the audit log, which no token can have."""
        return f"user {self.name}"

    @property
    def looks_only(self) -> str:
        """Return what a page says of it beside whatever cannot be used."""
        return f"{self.name} may look, not change"

    def lacks(self, kinds: str) -> str:
        """Say that something wants a token, or another user."""
        return (
            f"The user {self.name!r} has what a {self.kind.name.lower()} token allows, and this "
            f"wants what a {kinds} token does."
        )


@dataclass(frozen=True)
class Users:
    """In which headers a proxy names users, and who of them may change things; others may look."""

    header: bytes
    groups_header: bytes | None = None
    control: frozenset[str] = frozenset()
    control_groups: frozenset[str] = frozenset()

    @property
    def headers(self) -> frozenset[bytes]:
        """Return the headers that nobody else may send."""
        return frozenset(each for each in (self.header, self.groups_header) if each is not None)

    def user(self, names: Sequence[bytes], groups: Sequence[bytes]) -> User | None:
        """Return who is named; None for nobody. Raises `BadUser`."""
        name = _text(self.header, names)
        if not name:
            return None
        if len(name) > LONGEST or not name.isprintable() or _NO_NAME.search(name):
            raise BadUser(
                f"{self.header.decode()} names a user with more than {LONGEST} characters, or with "
                "parentheses, commas or characters that are not seen."
            )
        found = set() if self.groups_header is None else _names(_text(self.groups_header, groups))
        controls = name in self.control or not self.control_groups.isdisjoint(found)
        return User.of(name, Kind.CONTROL if controls else Kind.VIEW)


def users_from(header: str, groups_header: str, control: str, control_groups: str) -> Users | None:
    """Read what is said of users, each "" where nothing is; raises `BadProxy`."""
    if not header:
        if groups_header or control or control_groups:
            raise BadProxy("no users are known without --trust-user-header")
        return None
    for each in (header, groups_header):
        if each and not _HEADER.fullmatch(each):
            raise BadProxy(f"{each!r} is no name of a header")
    if control_groups and not groups_header:
        raise BadProxy("no groups are known without --trust-groups-header")
    groups = groups_header.lower().encode() or None
    return Users(header.lower().encode(), groups, _names(control), _names(control_groups))


def _names(text: str) -> frozenset[str]:
    parts = (unicodedata.normalize("NFC", each.strip()) for each in text.split(","))
    return frozenset(each for each in parts if each)


def _text(header: bytes, values: Sequence[bytes]) -> str:
    """Return what a header says, "" where it is not there; raises `BadUser`."""
    if len(values) > 1:
        raise BadUser(
            f"{header.decode()} came {len(values)} times: the proxy has to set it, and take away "
            "what clients send under that name."
        )
    try:
        said = b"".join(values).decode()
    except UnicodeDecodeError as error:
        raise BadUser(f"{header.decode()} is no text in UTF-8.") from error
    return unicodedata.normalize("NFC", said.strip())
