"""What is in the sdist: all that somebody needs who has nothing else."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

GENERATED = {"PKG-INFO", "setup.cfg"}


@pytest.mark.exhaustive(0)
def test_sdist_holds_the_whole_checkout_and_no_leftovers(sdist: Path, source: Path) -> None:
    """Code, tests, documents and what builds them are there; nothing that a build left is."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    shipped = {name for name in names if not name.startswith("gradgate.egg-info/")} - GENERATED
    expected = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}

    assert shipped == expected
