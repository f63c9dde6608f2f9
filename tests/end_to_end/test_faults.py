"""Faults of the probe stay out of the training loop: a sample of `tests/support/faults.py`."""

from __future__ import annotations

import zlib
from collections import Counter

import pytest

from tests.support.fault_jobs import JOBS
from tests.support.faults import (
    Fault,
    Function,
    all_faults,
    attempt,
    counted,
    entries,
    forked,
    weights_without,
)

SEED = 14
SAMPLED = 3
"""Faults of each job that are tried, by chance."""


def chance(fault: Fault) -> int:
    """Return a number by chance, which is the same whatever other faults there are."""
    return zlib.crc32(f"{SEED} {fault.job} {fault.function.name} {fault.kind.__name__}".encode())


REACHED = (
    "AutogradCalls._run",
    "AutogradCalls._tell",
    "Boundaries._pre_hook.<locals>.hook",
    "BackwardTimer._before_forward",
    "ClipNorms._clip",
    "Conversions.receive",
    "Freezer.restore",
    "GateRegistry.check",
    "NoGradModules._enter",
    "Recomputations.play",
    "Run.log",
    "ScalerZeros._idle",
    "SiteGates.record_upstream",
    "TapeRecorder.run",
)
"""Functions out of which faults came to the loop before all entries were guarded, or left hooks."""


@pytest.fixture(scope="module")
def calls() -> dict[str, Counter[Function]]:
    """How often each job calls each function of the probe."""
    return {job: forked(lambda job=job: counted(job)) or Counter() for job in JOBS}  # type: ignore[misc]


@pytest.mark.parametrize("job", JOBS)
def test_whatever_calls_the_probe_calls_the_guard(job: str) -> None:
    """A hook, a patch or a method without it is found by the frame that is the outermost."""
    assert forked(lambda: entries(job)) == set()


@pytest.mark.parametrize("job", JOBS)
def test_faults_stay_out_of_the_loop(job: str, calls: dict[str, Counter[Function]]) -> None:
    """The job trains on to the same bits, and nothing is left behind; an interrupt goes through."""
    faults = [each for each in all_faults({job: calls[job]}) if each.call == 1]
    assert len(faults) > SAMPLED
    chosen = sorted(faults, key=chance)[:SAMPLED]
    expected = weights_without(job)
    wrong = {fault: attempt(fault, expected).wrong(fault) for fault in chosen}
    assert not {str(fault): problem for fault, problem in wrong.items() if problem}


@pytest.mark.parametrize("name", REACHED)
def test_a_fault_that_once_reached_the_loop_does_not(
    name: str, calls: dict[str, Counter[Function]]
) -> None:
    """In the first job that calls the function, at its first call."""
    job, function = next(
        (job, function) for job in JOBS for function in calls[job] if function.name == name
    )
    fault = Fault(job, function, 1, RuntimeError)
    outcome = attempt(fault, weights_without(job))
    assert outcome.fired
    assert outcome.wrong(fault) == ""
