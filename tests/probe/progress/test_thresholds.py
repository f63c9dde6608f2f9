"""What a script can set of trends."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.probe import Thresholds


@pytest.mark.parametrize(
    "bad",
    [
        {"samples": 0},
        {"skipped_steps": 2.5},
        {"warmup_steps": -1},
        {"replica_steps": 0},
        {"update_ratio": (0.1, 0.01)},
    ],
)
def test_what_cannot_be_is_refused_by_its_name(bad: dict[str, Any]) -> None:
    """With the value that was given."""
    with pytest.raises(ValueError, match=next(iter(bad))):
        Thresholds(**bad)


def test_ranks_need_not_be_compared() -> None:
    """None is a pace of its own, of this threshold alone."""
    assert Thresholds(replica_steps=None).replica_steps is None
    with pytest.raises(ValueError, match="samples=None"):
        Thresholds(samples=None)  # type: ignore[arg-type]
