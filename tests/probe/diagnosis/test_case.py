"""A parameter under diagnosis."""

from __future__ import annotations

import pytest

from gradgate.probe.diagnosis.case import Case


@pytest.mark.parametrize(
    ("state", "in_optimizer", "well"),
    [("present", True, True), ("present", False, False), ("zero", True, False)],
)
def test_a_useful_gradient_that_somebody_applies_is_well(
    state: str, in_optimizer: bool, well: bool
) -> None:
    """One alone is not enough."""
    assert Case(0, "a", 1, state, in_optimizer, ()).well is well
