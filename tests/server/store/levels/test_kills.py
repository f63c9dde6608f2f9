"""A server that is killed while it takes samples and merges them."""

from __future__ import annotations

from pathlib import Path

from tests.support.kills import survive_kills


def test_nothing_that_was_acknowledged_is_lost_or_changed(tmp_path: Path) -> None:
    """Whenever it is killed; `python -m tests.support.kills` does it twenty times."""
    outcome = survive_kills(tmp_path / "data", kills=2, seed=3)
    assert outcome.stored >= outcome.acknowledged > 0
