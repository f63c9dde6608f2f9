"""The proxies before a server: whose word is taken, and for what."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadProxy(Exception):
    """What is said of the proxies cannot be used; the message says why."""


@dataclass(frozen=True)
class Proxies:
    """Who may say in `X-Forwarded-…` where a request came from; by default nobody."""

    allowed: tuple[Network, ...] = ()
    root_path: str = ""
    """Below which path they show the server, as `root_path.read_root_path` returns it."""

    def trust(self, host: str) -> bool:
        """Return whether what an address says of others is taken for true."""
        address = address_of(host)
        return address is not None and any(address in each for each in self.allowed)


def address_of(host: str) -> Address | None:
    """Return an address, of IPv4 also where it came in IPv6; None for what is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks between commas; raises `BadProxy`."""
    return tuple(_network(each.strip()) for each in text.split(",") if each.strip())


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise BadProxy(
            f"{text!r} is no address and no network: give one such as 127.0.0.1 or 10.0.0.0/8."
        ) from error
    if network.prefixlen == 0:
        raise BadProxy(f"{text!r} is everybody: give the address or the network of the proxy.")
    return network
