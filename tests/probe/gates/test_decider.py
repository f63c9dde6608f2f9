"""What a gate decides: by conditions, holding, and averages of earlier norms."""

from __future__ import annotations

import pytest

from gradgate.probe.conditions.compiler import compile_condition
from gradgate.probe.gates.decider import Decider
from tests.support import gating
from tests.support.gating import Branched, closed_in


@pytest.mark.parametrize("site", ["output:encoder", "param:encoder.0.weight"])
@pytest.mark.parametrize(
    ("when", "hold", "closed"),
    [
        ("step % 3 == 0", 0, [3, 6, 9]),
        ("step % 5 == 2", 3, [2, 3, 4, 7, 8, 9]),
        ("saw > (2 if closed else 4)", 0, [5, 6]),
        ("val_loss > 8.5", 2, [9, 10]),
        ("not closed", 0, [1, 3, 5, 7, 9]),
        ("isnan(nan_)", 0, []),
        ("True", 0, list(range(1, 11))),
    ],
)
def test_conditions(site: str, when: str, hold: int, closed: list[int]) -> None:
    """Steps, metrics logged before the same backward, hysteresis and holding decide a gate."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate(site, when, hold=hold)
        found = closed_in(
            run, model, 10, **{"saw": lambda s: s if s < 6 else 9 - s, "val/loss": float}
        )
        gate = gating.only_gate(run)
        assert found == closed
        assert (gate.steps, gate.closed_steps) == (10, len(closed))
        if "nan" in when:
            assert "nan_" in str(gate.problem)
        else:
            assert gate.problem is None


def test_norm_and_its_average() -> None:
    """`norm` is what arrives in this very backward, `norm_avg` the average before it."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "norm > 1.05 * norm_avg", "scale", factor=1.0)
        average, wanted, found = None, [], []
        for step in range(1, 21):
            model.zero_grad()
            gating.loss_of(model, step).backward()
            run.step()
            gate = gating.only_gate(run)
            norm = gate.norm_in
            assert norm is not None
            average = norm if average is None else average
            wanted.append(norm > 1.05 * average)
            average += (norm - average) / 10
            found.append(gate.closed)
    assert found == wanted
    assert 0 < sum(found) < 20


def decisions(decider: Decider, norms: list[float | None]) -> list[int]:
    """Decide once a step, and return the steps in which the gate was closed."""
    closed = []
    for step, norm in enumerate(norms, 1):
        known = {"spike": 1.0} if norm is None else {"spike": norm}
        decider.closed = decider.decide(step, known, lambda value=norm or 0.0: value)
        closed += [step] if decider.closed else []
    return closed


def test_holding_counts_from_the_step_that_closed() -> None:
    """A gate stays closed for `hold` steps at least; what it is held for does not prolong it."""
    decider = Decider(compile_condition("spike > 2"), hold=3)
    assert decisions(decider, [1, 3, 3, 1, 1, 1, 3, 1, 1, 1]) == [2, 3, 4, 7, 8, 9]


def test_the_norm_is_asked_only_if_it_is_needed() -> None:
    """A condition without a norm never reads one, which would wait for the device."""
    decider = Decider(compile_condition("step > 0"), hold=0)
    assert decider.decide(1, {}, gating.broken)


def test_what_cannot_be_told_is_open_and_said() -> None:
    """A condition that fails leaves the gate open with a problem, until it can be told again."""
    decider = Decider(compile_condition("1 / spike > 0"), hold=0)
    assert decisions(decider, [0.0]) == []
    assert str(decider.problem).startswith("open, because the condition cannot be told: division")
    assert decisions(decider, [2.0]) == [1]
    assert decider.problem is None


@pytest.mark.parametrize(
    ("when", "closes"),
    [
        ("step == 4", [4, 5]),
        ("not closed", [1, 2, 3, 4, 5]),
        ("spike > 0", []),
        ("norm >= 0", []),
    ],
)
def test_what_is_known_in_the_forward(when: str, closes: list[int]) -> None:
    """Only step and closed are known before the gradient, and so is that the gate is held."""
    decider = Decider(compile_condition(when), hold=2)
    found = [step for step in (1, 2, 3, 4) if decider.closes_in_forward(step)]
    decider.decide(4, {"spike": 1.0}, lambda: 1.0)
    found += [5] if decider.closes_in_forward(5) else []
    assert found == closes


def test_a_restored_gate_remembers_what_it_was_decided_on() -> None:
    """Holding, the average and metrics that were not logged since are as they were saved."""
    decider = Decider(compile_condition("spike > 2 or norm > 3 * norm_avg"), hold=4)
    decider.closed = decider.decide(7, {"spike": 3.0, "other": 1.0}, lambda: 2.0)
    saved = decider.memory(8, {"spike": 3.0, "other": 1.0})
    assert saved == {"closed": True, "held": 3, "norm_avg": 2.0, "metrics": {"spike": 3.0}}
    restored = Decider(compile_condition("spike > 2 or norm > 3 * norm_avg"), hold=0)
    restored.restore(saved, 101)
    assert restored.closed
    assert restored.memory(101, {}) == saved
    assert restored.decide(103, {"spike": 0.0}, lambda: 0.0)
    assert not restored.decide(104, {"spike": 0.0}, lambda: 0.0)
    assert restored.decide(104, {}, lambda: 0.0)
