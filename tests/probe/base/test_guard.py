"""The guard: the probe's own faults are logged and counted, and stay out of the job."""

from __future__ import annotations

import pytest

from gradgate.probe.base.guard import Guard


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log faults, as in a job, instead of raising them."""
    monkeypatch.delenv("GRADGATE_STRICT")


@pytest.mark.usefixtures("lenient")
def test_a_failed_attempt_keeps_its_error_and_the_next_goes_on() -> None:
    """Each item of a list is tried, and the one that failed can say why."""
    guard = Guard()
    faults = []
    for divisor in (1, 0, 2):
        with guard.attempt() as attempt:
            assert 1 / divisor > 0
        faults.append(attempt.fault)
    assert faults == ["", "gradgate failed inside (ZeroDivisionError: division by zero)", ""]
    assert guard.faults == 1


def test_a_failed_attempt_raises_in_strict_mode() -> None:
    """Tests see a fault of the probe's own as it is."""
    with pytest.raises(KeyError, match="mine"), Guard().attempt():
        raise KeyError("mine")


@pytest.mark.usefixtures("lenient")
def test_an_interrupt_is_no_fault() -> None:
    """What ends the job goes on to it."""
    with pytest.raises(KeyboardInterrupt), Guard().attempt():
        raise KeyboardInterrupt


@pytest.mark.usefixtures("lenient")
def test_each_kind_of_fault_is_logged_once_and_twenty_kinds_at_most(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault in every step must not flood the job's log; all of them are counted."""
    guard = Guard()
    for number in range(25):
        for _ in range(2):
            with guard:
                raise ValueError(f"fault {number}")
    assert guard.faults == 50
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 20
    assert "ValueError: fault 0" in logged[0]
    assert "ValueError: fault 19" in logged[-1]
