"""The log of sockets that are refused, of which a page or a script can open any number."""

from __future__ import annotations

import asyncio
import logging

from prometheus_client import Counter

EVERY = 10.0
"""Seconds between two lines, at least."""
_CHARACTERS = 500

_log = logging.getLogger("gradgate.server")


class RefusalLog:
    """Counts refused sockets, and logs the first and then how many; for the event loop."""

    def __init__(self, every: float = EVERY) -> None:
        """Log at most each `every` seconds."""
        self._every = every
        self.metric = Counter(
            "gradgate_refused_sockets",
            "WebSockets that were refused, or ended with an error, by the reason.",
            ["reason"],
            registry=None,
        )
        self._unsaid = 0
        self._latest = ""
        self._reason = ""
        self._quiet = False

    def refused(self, message: str, reason: str) -> None:
        """Count a socket that was refused with a sentence, and log it if it is time.

        `reason` is a word of the code, and nothing of what the peer said.
        """
        self.metric.labels(reason).inc()
        self._unsaid += 1
        self._latest = message[:_CHARACTERS]
        self._reason = reason
        if not self._quiet:
            self._say()

    def _say(self) -> None:
        told = {"sockets": self._unsaid, "reason": self._reason}
        if self._unsaid == 1:
            _log.warning("A socket was refused: %s", self._latest, extra=told)
        elif self._unsaid:
            _log.warning(
                "%d sockets were refused in %.1f seconds, the latest: %s",
                self._unsaid,
                self._every,
                self._latest,
                extra=told,
            )
        self._quiet = self._unsaid > 0
        self._unsaid = 0
        if self._quiet:
            asyncio.get_running_loop().call_later(self._every, self._say)
