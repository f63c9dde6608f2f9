"""Every broken model gets its cause and its line, and no healthy one gets a verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradgate import probe

from .case import Case, Job
from .cases import BROKEN, HEALTHY

# As some models do on purpose; torch says it once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor")

broken = pytest.mark.parametrize("case", BROKEN, ids=str)
healthy = pytest.mark.parametrize("case", HEALTHY, ids=str)


@broken
def test_a_broken_model_gets_its_causes(case: Case, made: Callable[[Case], Job]) -> None:
    """Every parameter without a useful gradient is explained, by its cause, and no other."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer)
    assert {name: explanation.cause for name, explanation in found.items()} == case.expected


@broken
def test_a_broken_model_gets_its_lines(case: Case, made: Callable[[Case], Job]) -> None:
    """Each explanation points at the very line that is marked, or at none."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer)
    for name in case.expected:
        where = found[name].where
        places = case.places(name)
        assert where in places if places else where is None, f"{name}: {where}"


@broken
def test_a_broken_model_gets_sentences(case: Case, made: Callable[[Case], Job]) -> None:
    """Detail and advice are a sentence each; detail names what it is about, and every cut."""
    job = made(case)
    for name, explanation in probe.explain(job.model, job.closure, job.optimizer).items():
        for sentence in (explanation.detail, explanation.advice):
            assert sentence == sentence.strip()
            assert sentence.endswith(".")
            assert "\n" not in sentence
        module = name.rpartition(".")[0]
        assert name in explanation.detail or (module and module in explanation.detail)
        marked = case.marked(name)
        if case.library is not None or len(marked) > 1:
            assert all(place in explanation.detail for place in marked), explanation.detail


@healthy
def test_a_healthy_model_gets_no_verdict(case: Case, made: Callable[[Case], Job]) -> None:
    """Nothing is said of a model whose parameters all train, but for what is frozen on purpose."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer)
    assert {name: explanation.cause for name, explanation in found.items()} == case.expected
