"""Random commands in jobs of several processes, held against the same done by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import steered_world
from tests.support.world import run_world

COMMANDS = 300
WORLDS = {2: ["ddp, unused", "fsdp, half"], 3: ["ddp", "fsdp, unsharded"]}
"""The jobs that are trained, by how many processes."""


@pytest.fixture(scope="module", params=WORLDS, ids=lambda size: f"{size} ranks")
def notes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each rank found, job by job."""
    folder = tmp_path_factory.mktemp("ranks")
    return run_world(steered_world, request.param, folder, WORLDS[request.param])


@pytest.mark.exhaustive(0)
def test_random_commands_are_what_they_are_by_hand(notes: list[Any]) -> None:
    """Freezes, thaws and gates with every kind of condition, by the script on every rank and by
    rank 0 alone: all decisions are those of a run steered by hand, and so is every bit of weights
    and optimizer state, on each rank and in every step."""
    for rank in notes:
        for name, found in rank.items():
            assert found["differing"] == [], (name, found["log"])
            assert found["decisions"] == [], name
            assert found["given"] >= COMMANDS
            assert found["applied"] > 0.8 * COMMANDS
            assert found["closed"] > 100


@pytest.mark.exhaustive(0)
def test_the_ranks_stay_alike(notes: list[Any]) -> None:
    """Bit by bit, at the end."""
    for name, found in notes[0].items():
        if "fsdp" not in name:
            assert all(other[name]["bits"] == found["bits"] for other in notes)
