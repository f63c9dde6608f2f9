"""The guard: the probe's own faults are logged and counted, and stay out of the job."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from gradgate.probe.base.errors import CommandError, ExpectationError
from gradgate.probe.base.guard import Guard, GuardedAround, GuardedHook, commanding, silent


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


@pytest.mark.usefixtures("lenient")
def test_a_hook_that_fails_leaves_all_as_it_came() -> None:
    """It returns None, as a hook does that changes nothing; the next call is tried again."""
    guard = Guard()
    hook = GuardedHook(guard, lambda divisor: 1 / divisor)
    assert hook(0) is None
    assert hook(2) == 0.5
    assert guard.faults == 1


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("fails", ["before", "after", "never"])
def test_what_stands_around_a_call_makes_it_once(fails: str) -> None:
    """Whenever it fails the script has what its call returns."""
    made: list[int] = []

    def around(call: Callable[[int], int], number: int) -> int:
        assert fails != "before"
        result = call(number)
        assert fails != "after"
        return result

    def double(number: int) -> int:
        made.append(number)
        return 2 * number

    assert GuardedAround(Guard(), around)(double, 3) == 6
    assert made == [3]


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("fails", [True, False])
def test_what_a_call_raises_is_the_scripts(fails: bool) -> None:
    """Also where what stands around it fails on the way out; it is no fault of the probe's."""
    guard = Guard()

    def around(call: Callable[[], object]) -> object:
        try:
            return call()
        finally:
            assert not fails

    def break_off() -> None:
        raise LookupError("the script's")

    with pytest.raises(LookupError, match="the script's"):
        GuardedAround(guard, around)(break_off)
    assert guard.faults == 0


@pytest.mark.usefixtures("lenient")
def test_what_stands_around_a_call_has_a_second_chance() -> None:
    """Want of memory may be over by then."""
    tries: list[int] = []

    def around(call: Callable[[], str]) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return f"more than {call()}"

    assert GuardedAround(Guard(), around)(lambda: "nothing") == "more than nothing"


@pytest.mark.usefixtures("lenient")
def test_a_log_that_fails_is_no_fault_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler of the script's own may raise."""

    def raising(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(logging.getLogger("gradgate"), "error", raising)
    with Guard():
        raise ValueError("mine")


@pytest.mark.usefixtures("lenient")
def test_a_strict_expectation_is_no_fault() -> None:
    """The script has asked for it to be raised."""
    with pytest.raises(ExpectationError, match="asked for"), Guard():
        raise ExpectationError("asked for")


class Told:
    """Has methods that a script calls."""

    def __init__(self) -> None:
        self.guard = Guard()

    @silent(list)
    def list_up(self, divisor: int) -> list[float]:
        """Return a list."""
        return [1 / divisor]

    @commanding
    def divide(self, divisor: int) -> float:
        """Return a quotient."""
        return 1 / divisor


@pytest.mark.usefixtures("lenient")
def test_a_method_that_fails_answers_or_says_that_nothing_was_done() -> None:
    """With something empty, or, for a command, with the documented error."""
    told = Told()
    assert (told.list_up(2), told.list_up(0)) == ([0.5], [])
    with pytest.raises(CommandError, match="cannot be done: gradgate failed inside"):
        told.divide(0)
    assert told.guard.faults == 2


@pytest.mark.usefixtures("lenient")
def test_a_method_that_is_called_wrongly_says_so() -> None:
    """That is no fault of the probe's."""
    with pytest.raises(TypeError, match="divisor"):
        Told().list_up()  # type: ignore[call-arg]
