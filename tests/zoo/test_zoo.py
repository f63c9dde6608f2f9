"""Every broken model gets its cause and its line, and no healthy one gets a verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradgate import probe

from .case import Case, Job
from .cases import BROKEN, HEALTHY
from .conftest import commanded, strictly

# As some models do on purpose; torch says it once in a process.
pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor")

healthy = pytest.mark.parametrize("case", HEALTHY, ids=str)

Explained = tuple[Case, dict[str, probe.Explanation]]


@pytest.fixture(scope="module", params=BROKEN, ids=str)
def explained(request: pytest.FixtureRequest) -> Explained:
    """Each broken model, and what is said of it."""
    case: Case = request.param
    with strictly(), commanded(case) as job:
        return case, probe.explain(job.model, job.closure, job.optimizer)


@pytest.mark.exhaustive(50)
def test_a_broken_model_gets_its_causes(explained: Explained) -> None:
    """Every parameter without a useful gradient is explained, by its cause, and no other."""
    case, found = explained
    assert {name: explanation.cause for name, explanation in found.items()} == case.expected


@pytest.mark.exhaustive(50)
def test_a_broken_model_gets_its_lines(explained: Explained) -> None:
    """Each explanation points at the very line that is marked, or at none."""
    case, found = explained
    for name in case.expected:
        where = found[name].where
        places = case.places(name)
        assert where in places if places else where is None, f"{name}: {where}"


@pytest.mark.exhaustive(50)
def test_a_broken_model_gets_sentences(explained: Explained) -> None:
    """Detail and advice are a sentence each; detail names what it is about, and every cut."""
    case, found = explained
    for name, explanation in found.items():
        for sentence in (explanation.detail, explanation.advice):
            assert sentence == sentence.strip()
            assert sentence.endswith(".")
            assert "\n" not in sentence
        module = name.rpartition(".")[0]
        assert name in explanation.detail or (module and module in explanation.detail)
        marked = case.marked(name)
        if case.library is not None or len(marked) > 1:
            assert all(place in explanation.detail for place in marked), explanation.detail


@pytest.mark.exhaustive(30)
@healthy
def test_a_healthy_model_gets_no_verdict(case: Case, made: Callable[[Case], Job]) -> None:
    """Nothing is said of a model whose parameters all train, but for what is frozen on purpose."""
    job = made(case)
    found = probe.explain(job.model, job.closure, job.optimizer)
    assert {name: explanation.cause for name, explanation in found.items()} == case.expected
