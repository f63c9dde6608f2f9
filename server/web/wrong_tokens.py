"""Wrong tokens, counted by the address that shows them, so that nobody guesses for long."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10
"""Different wrong tokens that an address may show within `WITHIN` seconds."""
WITHIN = 60.0
ADDRESSES = 10_000
"""Addresses that are remembered; those that were first to show a wrong token are forgotten."""
_LONGEST = 64


class TooManyWrong(Exception):
    """An address has shown so many wrong tokens that it has to wait, whatever it shows now."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Too many wrong tokens came from this address: wait {seconds} seconds, and try again."
        )
        self.seconds = seconds


class WrongTokens:
    """Counts the different wrong tokens of each address.

    One that is shown again and again is no guess (a page that was signed in before, a job whose
    token was revoked), and counts once. Of what was shown no more than a digest is kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` has seconds."""
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._shown: OrderedDict[str, dict[bytes, float]] = OrderedDict()

    def check(self, host: str) -> None:
        """Raise `TooManyWrong` where an address has to wait before anything of it is looked at."""
        now = self._clock()
        recent = self._recent(_network(host), now)
        if len(recent) >= MOST:
            raise TooManyWrong(math.ceil(min(recent.values()) + WITHIN - now))

    def add(self, host: str, wrong: str) -> bool:
        """Count a wrong token of an address, and return whether it is another than before."""
        now = self._clock()
        network = _network(host)
        recent = self._recent(network, now)
        digest = hashlib.blake2b(wrong.encode(), key=self._key, digest_size=8).digest()
        if digest in recent:
            return False
        recent[digest] = now
        self._shown[network] = recent
        while len(self._shown) > ADDRESSES:
            self._shown.popitem(last=False)
        return True

    def _recent(self, network: str, now: float) -> dict[bytes, float]:
        shown = self._shown.get(network, {})
        return {digest: first for digest, first in shown.items() if first > now - WITHIN}


def _network(host: str) -> str:
    """Return what one person has at least: an IPv4 address, or the 64 bits before IPv6 ones."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_LONGEST]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
