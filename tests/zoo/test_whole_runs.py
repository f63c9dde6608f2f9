"""What a run tells unasked of itself as a whole, and that it tells nothing of a healthy one."""

from __future__ import annotations

import pytest

from gradgate import probe

from .whole_runs import RUNS, RunCase


@pytest.mark.parametrize("case", RUNS, ids=str)
def test_a_run_tells_what_is_wrong_with_it(case: RunCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its causes and no other; of what is expected each gradient is there, and nothing fails."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    loop = case.loop()
    options = {"every": 1, "expect": case.expect, "strict": bool(case.expect)}
    with probe.attach(loop.model, loop.optimizer, server=False, **options) as run:
        for _ in range(case.iterations):
            loop.iterate()
        told, states = run.alerts(), {row.state for row in run.parameters()}
    assert {alert.cause for alert in told} == case.causes
    assert all(alert.parameter is None for alert in told)
    if case.expect:
        assert states == {"present"}
