"""Addresses of servers."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from torch import nn

from gradgate import probe
from gradgate.probe.link.address import ServerAddress, ingest_url, server_address

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/api/ingest"),
        ("http://127.0.0.1:8765/", "ws://127.0.0.1:8765/api/ingest"),
        ("https://host/gradgate/", "wss://host/gradgate/api/ingest"),
        ("http://[::1]:80", "ws://[::1]:80/api/ingest"),
    ],
)
def test_the_address_of_the_socket(url: str, expected: str) -> None:
    """A dashboard's URL gives its ingest socket, below a path prefix too."""
    assert ingest_url(url) == expected


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:8765", "http://", "http://host:0", "http://host:x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """The sentence names what was given and shows an address that would do."""
    with pytest.raises(
        ValueError, match=r"is no address of a dashboard; give one such as 'http://"
    ):
        ingest_url(url)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1:1", False),
        ("https://localhost.example.org", False),
    ],
)
def test_a_server_on_this_machine_is_known(url: str, local: bool) -> None:
    """A proxy from the environment is for the others."""
    assert ServerAddress(url).is_local is local


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:8765/", "http://host:8765"),
        ("https://ada:secret@host/gradgate/?token=secret", "https://host/gradgate"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_person_is_shown_an_address_that_goes_on_with_a_path(url: str, shown: str) -> None:
    """And has no secret in it: it is in logs, and in notebooks that are saved and given on."""
    assert ServerAddress(url).shown == shown


def test_a_port_out_of_range_is_told_at_once() -> None:
    """A server address that cannot be one is an error of the call, not of the thread."""
    with pytest.raises(ValueError, match="is no address of a dashboard"):
        probe.attach(nn.Linear(1, 1), server="http://127.0.0.1:99999")


@pytest.mark.parametrize(
    ("query", "given", "token"),
    [
        ("", None, "environment"),
        ("/?tab=flow", None, "environment"),
        ("/?token=printed%2B1", None, "printed+1"),
        ("/gradgate/?token=printed", "given", "given"),
    ],
)
def test_a_token_is_taken_from_where_the_user_put_it(
    monkeypatch: pytest.MonkeyPatch, query: str, given: str | None, token: str
) -> None:
    """What stands beside the URL comes first, then what the server has printed in it."""
    monkeypatch.setenv("GRADGATE_TOKEN", "environment")
    assert server_address(f"http://host:8765{query}", given).token == token
    monkeypatch.delenv("GRADGATE_TOKEN")
    assert server_address("http://host:8765").token is None


@pytest.mark.parametrize(
    "url",
    [
        "host:99999/?token=secret",
        "http://host:99999/?token=secret",
        "ftp://ada:secret@host",
        "http://[::1/#secret",
    ],
)
def test_what_is_no_address_is_repeated_without_its_secrets(url: str) -> None:
    """It stands in the log of a job."""
    with pytest.raises(ValueError, match="is no address of a dashboard") as error:
        ingest_url(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("token", ["gehört-secret", "secret\r\nX-A:1", "se cret", "\0secret"])
def test_a_token_that_no_header_takes_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """From wherever it comes it is refused by a sentence, when the script attaches."""
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="none that it can have: copy it once more") as error:
        probe.attach(model, None, server=NOBODY, token=token)
    assert "secret" not in str(error.value)
    with pytest.raises(ValueError, match="copy it once more"):
        probe.attach(model, None, server=f"{NOBODY}/?token={quote(token)}")
    if "\0" not in token:
        monkeypatch.setenv("GRADGATE_TOKEN", token)
        with pytest.raises(ValueError, match="copy it once more"):
            probe.attach(model, None, server=NOBODY)
