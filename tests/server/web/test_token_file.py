"""A file of tokens is read again when it has changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from gradgate.server.web import token_file
from gradgate.server.web.token_file import TokenFile
from gradgate.server.web.tokens import BadTokens

ALICE, BOB = "alice control alice-0123456789abcdef", "bob view bob-0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two tokens."""
    path = tmp_path / "tokens"
    path.touch(0o600)
    path.write_text(f"{ALICE}\n{BOB}\n")
    return path


def names(file: TokenFile) -> list[str]:
    """Whose tokens there are."""
    return [each.name for each in file.tokens]


def test_a_line_that_is_taken_out_is_revoked(path: Path) -> None:
    """And what is as it was is not read again."""
    file = TokenFile(path)
    assert names(file) == ["alice", "bob"]
    assert not file.read_again()
    path.write_text(f"{BOB}\n")
    assert file.read_again()
    assert names(file) == ["bob"]
    assert not file.read_again()


def test_a_file_that_was_replaced_is_read(path: Path, tmp_path: Path) -> None:
    """One of the same size and time, too, as `mv` puts one there."""
    file = TokenFile(path)
    other = tmp_path / "other"
    other.touch(0o600)
    other.write_text(path.read_text().replace("bob view", "eve view"))
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    os.replace(other, path)
    assert file.read_again()
    assert names(file) == ["alice", "eve"]


def test_a_file_that_became_readable_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another owner changes neither its content nor its mode, and only the time of its inode."""
    file = TokenFile(path)
    path.write_text(f"{BOB}\n")

    def refused(_: Path) -> None:
        raise BadTokens("Permission denied")

    with monkeypatch.context() as of_another:
        of_another.setattr(token_file, "read_file", refused)
        assert not file.read_again()
    os.chmod(path, 0o600)
    assert file.read_again()
    assert names(file) == ["bob"]


@pytest.mark.parametrize("harm", ["chmod", "line", "empty", "remove"])
def test_a_file_that_became_wrong_changes_nothing(
    path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The tokens stay, which is said once, until the file is right again."""
    file = TokenFile(path)
    before = path.read_text()
    if harm == "chmod":
        path.chmod(0o644)
    elif harm == "line":
        path.write_text(f"{ALICE}\nbob\n")
    elif harm == "empty":
        path.write_text("")
    else:
        path.unlink()
    for _ in range(3):
        assert not file.read_again()
    assert names(file) == ["alice", "bob"]
    errors = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("The tokens stay as they were: ")
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(f"{before}eve view eve-0123456789abcdef\n")
    assert file.read_again()
    assert names(file) == ["alice", "bob", "eve"]


def test_a_file_that_is_wrong_at_first_is_refused(path: Path) -> None:
    """A server does not start with it."""
    path.chmod(0o644)
    with pytest.raises(BadTokens, match="can be read by others"):
        TokenFile(path)
