"""Which proxies are believed."""

from __future__ import annotations

import pytest

from gradgate.server.web.proxies import BadProxy, Proxies, networks


@pytest.mark.parametrize(
    ("allowed", "host", "trusted"),
    [
        ("", "127.0.0.1", False),
        (" , ", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1, 10.0.0.0/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("::1", "::1", True),
        ("::1", "127.0.0.1", False),
        ("2001:db8::/32", "2001:db8:1::7", True),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "localhost", False),
    ],
)
def test_whose_word_is_taken(allowed: str, host: str, trusted: bool) -> None:
    """That of the addresses and networks that are named; by default nobody's."""
    assert Proxies(networks(allowed)).trust(host) is trusted
    assert not Proxies().trust(host)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*", "'\\*' is no address and no network: give one such as 127.0.0.1"),
        ("127.0.0.1,proxy", "'proxy' is no address"),
        ("10.0.0.1/8", "'10.0.0.1/8' is no address"),
        ("0.0.0.0/0", "is everybody: give the address"),
        ("::/0", "is everybody"),
    ],
)
def test_proxies_that_cannot_be(text: str, said: str) -> None:
    """A name, a network that is none, and everybody, with whom anybody could be anybody."""
    with pytest.raises(BadProxy, match=said):
        networks(text)
