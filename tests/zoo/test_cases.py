"""The zoo itself: its bugs are real, its lines are marked, and there are enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from torch import Tensor

from .case import Case, Job, markers
from .cases import BROKEN, HEALTHY

# As some models do on purpose; torch says it once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor")

SYMPTOMS = {
    "frozen_by_script": {"frozen", "none"},
    "frozen_by_command": {"frozen"},
    "gated": {"none", "zero", "frozen"},
    "module_not_called": {"none"},
    "parameter_not_used": {"none"},
    "no_grad": {"none"},
    "detached": {"none"},
    "not_differentiable": {"none", "zero"},
    "not_in_loss": {"none"},
    "zero_gradient": {"zero"},
    "nonfinite": {"nonfinite"},
    "overwritten": {"zero", "nonfinite"},
    "not_in_optimizer": {"some"},
    "no_backward": {"none"},
}
"""Every cause, and what it looks like from outside."""

WITHOUT_LINE = {
    "frozen_by_script",
    "frozen_by_command",
    "gated",
    "module_not_called",
    "not_in_optimizer",
    "nonfinite",  # of weights that held it before the step
}
"""Causes that may have no line; every other one always has one."""


def symptom(parameter: Tensor) -> str:
    """What a gradient looks like from outside, in one word."""
    if not parameter.requires_grad:
        return "frozen"
    if parameter.grad is None:
        return "none"
    grad = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
    if not grad.isfinite().all():
        return "nonfinite"
    return "some" if grad.any() else "zero"


@pytest.mark.exhaustive(80)
@pytest.mark.parametrize("case", [*BROKEN, *HEALTHY], ids=str)
def test_the_bug_is_real(case: Case, made: Callable[[Case], Job]) -> None:
    """The expected parameters lack what their cause takes away, and all others are healthy."""
    job = made(case)
    job.closure()
    parameters, held = job.parameters(), job.held()
    assert case.expected.keys() <= parameters.keys()
    for name, parameter in parameters.items():
        cause = case.expected.get(name)
        expected = {"some"} if cause is None else SYMPTOMS[cause]
        assert symptom(parameter) in expected, f"{name}: {symptom(parameter)}"
        if job.optimizer is not None and cause != "frozen_by_script":
            assert (id(parameter) in held) == (cause != "not_in_optimizer"), name


def test_the_zoo_is_large_enough() -> None:
    """There are forty broken models, two of each cause, and forty healthy ones."""
    cases = (*BROKEN, *HEALTHY)
    assert len({case.name for case in cases}) == len(cases)
    assert len(BROKEN) >= 40
    assert len(HEALTHY) >= 40
    assert {cause for case in HEALTHY for cause in case.expected.values()} == {"frozen_by_script"}
    counts = Counter(cause for case in BROKEN for cause in set(case.expected.values()))
    assert counts.keys() == SYMPTOMS.keys()
    assert min(counts.values()) >= 2


def test_every_line_is_marked() -> None:
    """A cause that has a line has its marker, and each marker is some parameter's."""
    for case in BROKEN:
        for name, cause in case.expected.items():
            assert case.places(name) or cause in WITHOUT_LINE, f"{case}: {name}"
    used = {place for case in BROKEN for name in case.expected for place in case.marked(name)}
    written = [marker for file in {case.source for case in BROKEN} for marker in markers(file)]
    assert [marker for marker in written if marker.place not in used] == []
