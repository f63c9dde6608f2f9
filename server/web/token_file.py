"""A file of tokens, which is read again when it has changed."""

from __future__ import annotations

import logging
from pathlib import Path

from .tokens import BadTokens, Token, read_file

EVERY = 1.0
"""Seconds between two looks at a file: one `stat` each."""

_log = logging.getLogger("gradgate.server")

_Stamp = tuple[int, int, int, int]


class TokenFile:
    """The tokens of a file as it was last right; raises `BadTokens` when it is wrong at first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self.tokens: tuple[Token, ...] = read_file(path)

    def read_again(self) -> bool:
        """Read the file if it is another than before, and return whether its tokens are, too.

        Where it cannot be used any more the tokens stay as they were, which is logged once.
        """
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            tokens = read_file(self._path)
        except BadTokens as error:
            _log.error("The tokens stay as they were: %s", error)
            return False
        before, self.tokens = self.tokens, tokens
        return tokens != before

    def _look(self) -> _Stamp | None:
        """Return what tells one state of the file from another; None when it is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
