"""The sample of exhaustive tests that `make test` runs."""

from __future__ import annotations

import pytest

from tests.support.sampling import sample, split

CASES = [f"case {n}" for n in range(100)]


def test_a_sample_is_the_same_whatever_the_order() -> None:
    """It has as many cases as are wanted, or all that there are."""
    chosen = sample(CASES, 10)
    assert len(chosen) == 10
    assert chosen == sample(reversed(CASES), 10) != set(CASES[:10])
    assert sample(CASES, 200) == set(CASES)


def test_a_new_case_changes_one_of_a_sample_at_most() -> None:
    """And so what is run from day to day stays comparable."""
    for n in range(100, 150):
        assert len(sample([*CASES, f"case {n}"], 10) - sample(CASES, 10)) <= 1


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize("case", range(5))
def test_some_cases(case: int) -> None:
    """As an exhaustive test is written; for the next test."""


@pytest.mark.exhaustive(0)
def test_nothing_from_day_to_day() -> None:
    """As a test that takes minutes is marked; for the next test."""


def test_a_sample_leaves_out_of_exhaustive_tests_alone(request: pytest.FixtureRequest) -> None:
    """No other test is left out, and each case is either run or left out."""
    here = [item for item in request.session.items if item.path == request.path]
    kept, left = split(here)
    assert sorted(map(id, [*kept, *left])) == sorted(map(id, here))
    assert [item.nodeid.split("::")[1][:9] for item in left].count("test_some") in (0, 3)
    assert all(item.get_closest_marker("exhaustive") for item in left)
    assert kept == [item for item in here if item not in left]
