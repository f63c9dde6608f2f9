"""The lists of mutants are in step with the code."""

from __future__ import annotations

import pytest

from .replay import CHECKOUT, Mutant, rooms

ROOMS = rooms()
LEAST = 10
"""Mutants of a room, at least."""


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_has_enough_mutants_and_no_two_the_same(room: str) -> None:
    """A list of a few lines would say little of the tests around it."""
    assert len(ROOMS[room]) >= LEAST
    assert len(set(ROOMS[room])) == len(ROOMS[room])


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(m, id=f"{r}-{n}") for r in ROOMS for n, m in enumerate(ROOMS[r], 1)],
)
def test_a_mutant_breaks_one_place_and_names_a_test_that_there_is(mutant: Mutant) -> None:
    """A line that has been rewritten since needs its mutant rewritten too."""
    assert mutant.places == 1
    assert mutant.new != mutant.old
    assert (CHECKOUT / mutant.test).is_file()


def test_every_room_of_the_code_has_a_list() -> None:
    """A folder without one is held by nobody."""
    folders = {
        f"{side}/{folder.name}"
        for side in ("probe", "server", "static")
        for folder in (CHECKOUT / side).iterdir()
        if folder.is_dir() and any(folder.glob("*.py")) | any(folder.glob("*.js"))
    }
    assert folders - {"probe/demo", "static/vendor"} <= set(ROOMS)
