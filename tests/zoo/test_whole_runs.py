"""What a run tells unasked of itself as a whole, and that it tells nothing of a healthy one."""

from __future__ import annotations

import pytest

from gradgate import probe

from .whole_runs import RUNS, RunCase


@pytest.mark.parametrize("case", RUNS, ids=str)
def test_a_run_tells_what_is_wrong_with_it(case: RunCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its causes and no other; nothing is expected of it."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    loop = case.loop()
    with probe.attach(loop.model, loop.optimizer, server=False, every=1) as run:
        for _ in range(case.iterations):
            loop.iterate()
        told = run.alerts()
    assert {alert.cause for alert in told} == case.causes
    assert all(alert.parameter is None for alert in told)
