"""Custom functions whose backward is compared with finite differences, when asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradgate import probe

from . import wrong_backward
from .case import Case, Job, markers
from .cases import HEALTHY

wrong = pytest.mark.parametrize("case", wrong_backward.CASES, ids=str)


@wrong
def test_a_wrong_backward_is_found_when_asked(case: Case, made: Callable[[Case], Job]) -> None:
    """Of exactly the parameters whose gradient comes through the wrong input, at the call."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer, check_backward=True)
    assert {name: each.cause for name, each in found.items()} == case.expected
    assert {each.where for each in found.values()} == set(case.marked(next(iter(found))))
    for name, each in found.items():
        assert f"`{name}`" in each.detail
        assert "wrong_backward.py:" in each.detail
        assert each.detail.endswith(".")
        assert each.advice.endswith(".")


@wrong
def test_nobody_looks_for_a_wrong_backward_unasked(case: Case, made: Callable[[Case], Job]) -> None:
    """It costs many calls, and may be meant."""
    job = made(case)
    assert probe.explain(job.model, job.closure, job.optimizer) == {}


@pytest.mark.parametrize("case", [*wrong_backward.RIGHT, *HEALTHY[:12]], ids=str)
def test_a_right_backward_gets_no_verdict(case: Case, made: Callable[[Case], Job]) -> None:
    """At kinks, with random numbers, in float32, and with several results."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer, check_backward=True)
    assert {n: c.cause for n, c in found.items()} == dict(case.expected)


def test_every_line_is_marked() -> None:
    """Each case has its line, and each marker its case."""
    cases = wrong_backward.CASES
    used = {place for case in cases for name in case.expected for place in case.marked(name)}
    assert used == {marker.place for marker in markers(cases[0].source)}
    assert all(case.marked(name) for case in cases for name in case.expected)
