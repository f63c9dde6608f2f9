"""The sample of tests that `make test` runs."""

from __future__ import annotations

import pytest

from tests.support.sampling import PARTS, part, sample, split

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


def test_a_file_has_something_in_each_quarter_and_all_in_the_four() -> None:
    """However few tests it has; and a new one moves none that was not there for want of others."""
    for count in (1, 2, 3, 10, 100):
        quarters = [part(CASES[:count], k) for k in range(1, PARTS + 1)]
        assert all(quarters)
        assert set().union(*quarters) == set(CASES[:count])
    assert sum(map(len, quarters)) == 100
    for k in range(1, PARTS + 1):
        assert part(CASES[:50], k) <= part(CASES, k)


@pytest.mark.parametrize("k", range(1, PARTS + 1))
def test_each_test_is_run_or_left_out(request: pytest.FixtureRequest, k: int) -> None:
    """In its order; of an exhaustive one, as many cases as it says."""
    here = [item for item in request.session.items if item.path == request.path]
    kept, left = split(here, k)
    assert sorted(map(id, [*kept, *left])) == sorted(map(id, here))
    assert kept == [item for item in here if item not in left]
    run = [item.nodeid.split("::")[1].partition("[")[0] for item in kept]
    assert run.count("test_some_cases") in (0, 2)
    assert "test_nothing_from_day_to_day" not in run
