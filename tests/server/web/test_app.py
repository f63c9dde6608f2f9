"""The application as a whole: its answers are compressed."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest
import zstandard
from starlette.testclient import TestClient

from gradgate.server.protocol.columns import MEDIA_TYPE

UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


@pytest.mark.parametrize("encoding", UNPACKED)
@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/static/v/css/base.css"])
def test_an_answer_is_compressed_as_the_client_likes(
    client: TestClient, path: str, encoding: str
) -> None:
    """Pages, data and files have fewer bytes on the wire, and are the same when unpacked."""
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    with client.stream("GET", path, headers={"Accept-Encoding": encoding}) as packed:
        assert packed.headers["content-encoding"] == encoding
        assert "Accept-Encoding" in packed.headers["vary"]
        sent = b"".join(packed.iter_raw())
    assert UNPACKED[encoding](sent) == plain.content
    assert len(sent) < len(plain.content) / 2
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("path", "accept", "encoding"),
    [
        ("parameters", MEDIA_TYPE, "zstd"),
        ("export?format=csv&table=parameters", "*/*", "zstd"),
        ("export?format=parquet&table=parameters", "*/*", None),
        ("export?format=csv", "*/*", None),
    ],
)
def test_what_has_room_to_shrink_is_compressed(
    client: TestClient, known: str, path: str, accept: str, encoding: str | None
) -> None:
    """Columns and CSV are; what is packed already is left as it is."""
    headers = {"Accept": accept, "Accept-Encoding": "zstd"}
    answer = client.get(f"/api/runs/{known}/{path}", headers=headers)
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == encoding


def test_the_best_of_what_the_client_takes_is_chosen(client: TestClient) -> None:
    """A browser that takes all gets zstd; one that refuses it gets the next."""
    taken = {"gzip, deflate, br, zstd": "zstd", "gzip, br, zstd;q=0": "br", "gzip": "gzip"}
    for accepted, encoding in taken.items():
        answer = client.get("/docs", headers={"Accept-Encoding": accepted})
        assert answer.headers["content-encoding"] == encoding


def test_what_is_small_or_a_part_of_a_file_is_left_as_it_is(client: TestClient) -> None:
    """A few bytes would only grow, and a range is of the file's own bytes."""
    small = client.get("/api/runs", headers={"Accept-Encoding": "zstd"})
    assert "content-encoding" not in small.headers
    headers = {"Accept-Encoding": "zstd", "Range": "bytes=10-2009"}
    part = client.get("/static/v/css/base.css", headers=headers)
    assert (part.status_code, len(part.content)) == (206, 2000)
    assert "content-encoding" not in part.headers


def test_compressed_answers_have_the_security_headers(client: TestClient) -> None:
    """The guard stands outside of the compression."""
    answer = client.get("/docs", headers={"Accept-Encoding": "zstd"})
    assert answer.headers["content-encoding"] == "zstd"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
