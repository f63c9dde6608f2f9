"""Faults of the probe stay out of the training loop: a sample of `tests/support/faults.py`."""

from __future__ import annotations

import functools
import zlib
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.fault_jobs import JOBS
from tests.support.faults import (
    ENTRANCES,
    Fault,
    Function,
    all_faults,
    attempt,
    entries,
    forked,
    found_calls,
    weights_without,
)

SEED = 14
SAMPLED = 3
"""Faults of each job that are tried, by chance."""


def chance(fault: Fault) -> int:
    """Return a number by chance, which is the same whatever other faults there are."""
    where = f"{fault.job} {fault.function.name} {fault.attaching}"
    return zlib.crc32(f"{SEED} {where} {fault.kind.__name__}".encode())


REACHED = (
    "AutogradCalls._run",
    "AutogradCalls._tell",
    "Boundaries._pre_hook.<locals>.hook",
    "BackwardTimer.forward_begins",
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


CallsOf = Callable[[str], "Counter[Function]"]


@pytest.fixture(scope="module")
def calls_of() -> CallsOf:
    """How often a job calls each function of the probe; no job is run twice for it."""
    return functools.cache(lambda job: found_calls([job])[job])


@pytest.mark.exhaustive(3)
@pytest.mark.parametrize("job", JOBS)
def test_whatever_calls_the_probe_calls_the_guard(job: str) -> None:
    """Hooks, patches, methods, finalizers, handlers, what runs as the program ends.

    One without it is found by the frame that is the outermost.
    """
    found = forked(lambda: entries(job))
    assert found is not None
    assert {str(each) for each in found if each.name not in ENTRANCES} == set()


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize("job", JOBS)
def test_faults_stay_out_of_the_loop(job: str, calls_of: CallsOf) -> None:
    """The job trains on to the same bits, and nothing is left behind; an interrupt goes through."""
    faults = [each for each in all_faults({job: calls_of(job)}) if each.call == 1]
    assert len(faults) > SAMPLED
    chosen = sorted(faults, key=chance)[:SAMPLED]
    expected = weights_without(job)
    wrong = {fault: attempt(fault, expected).wrong(fault) for fault in chosen}
    assert not {str(fault): problem for fault, problem in wrong.items() if problem}


@pytest.mark.exhaustive(3)
@pytest.mark.parametrize("name", REACHED)
def test_a_fault_that_once_reached_the_loop_does_not(name: str, calls_of: CallsOf) -> None:
    """In the first job that calls the function, at its first call."""
    job, function = next(
        (job, function) for job in JOBS for function in calls_of(job) if function.name == name
    )
    fault = Fault(job, function, 1, RuntimeError)
    outcome = attempt(fault, weights_without(job))
    assert outcome.fired
    assert outcome.wrong(fault) == ""


LEFT = (
    ("frozen", "Freezer.restore", KeyboardInterrupt, False),
    ("gated", "GateRuntime._remove", MemoryError, False),
    ("frozen", "Observation.end", KeyboardInterrupt, False),
    ("frozen", "Observation.add", MemoryError, False),
    ("frozen", "_as_flag", RuntimeError, False),
    ("frozen", "register_first", KeyboardInterrupt, False),
    ("two_optimizers", "ModelHooks.remove", KeyboardInterrupt, False),
    ("traced", "Trace.stop", KeyboardInterrupt, False),
    ("plain", "Boundaries._post_hook", MemoryError, True),
    ("mixed_precision", "ModelHooks._register", RuntimeError, True),
    ("plain", "close_at_exit", KeyboardInterrupt, True),
    ("frozen", "Job._restore", RuntimeError, False),
    ("gated", "StepCycle.stepped", RuntimeError, False),
    ("frozen", "CapturedSteps.step_made", RuntimeError, False),
    ("distributed_commands", "AutogradCalls.follow", RuntimeError, False),
    ("distributed_commands", "_failures", MemoryError, False),
    ("distributed_commands", "FreezeRecords.snapshot", MemoryError, False),
    ("distributed_commands", "FreezeRecords.own_flag", RuntimeError, False),
    ("explained", "Stepping._step_begins", MemoryError, False),
)
"""Functions of jobs after whose faults, or interrupts, hooks or patches had been left behind, or,
on one of two ranks, a command had been done on the other alone, or had taken the job down, or a
step had not been counted, or one been made that could not be put back; and whether that was while
the models were attached."""


@pytest.mark.exhaustive(3)
@pytest.mark.parametrize(("job", "name", "kind", "attaching"), LEFT)
def test_what_was_begun_is_undone(
    job: str, name: str, kind: type[BaseException], attaching: bool
) -> None:
    """After a fault or an interrupt in the midst of it; a job that cannot be watched trains on."""
    calls = found_calls([job], attaching=attaching)[job]
    function = next(each for each in calls if each.name == name)
    fault = Fault(job, function, 1, kind, attaching)
    outcome = attempt(fault, weights_without(job))
    assert outcome.fired
    assert outcome.wrong(fault) == ""
