"""A zip that is sent while it is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from gradgate.server.export.outgoing import archive


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED])
def test_a_zip_leaves_piece_by_piece(compression: int) -> None:
    """Nothing is kept until its end, and it is read back as it was."""
    asked: list[str] = []

    def parts(name: str) -> Iterator[bytes]:
        for number in range(3):
            asked.append(f"{name}{number}")
            yield name.encode() * 200_000

    pieces = archive(((name, parts(name)) for name in "ab"), compression)
    begun = next(pieces)
    assert asked == ["a0"]
    whole = begun + b"".join(pieces)
    with ZipFile(io.BytesIO(whole)) as zipped:
        assert zipped.testzip() is None
        assert {name: zipped.read(name) for name in zipped.namelist()} == {
            "a": b"a" * 600_000,
            "b": b"b" * 600_000,
        }
