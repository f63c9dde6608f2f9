"""The guard: the probe's own faults are logged and counted, and stay out of the job."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from gradgate.probe.base.errors import CommandError, ExpectationError
from gradgate.probe.base.guard import (
    Call,
    Guard,
    GuardedAround,
    GuardedHandler,
    GuardedHook,
    RefusingHook,
    TellingHook,
    commanding,
    silent,
    telling,
)


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


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("error", [RuntimeError("mine"), MemoryError()])
def test_what_is_undone_is_tried_once_more(error: Exception) -> None:
    """A fault may be over by then."""
    guard, tries = Guard(), list[int]()

    def undo() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error

    guard.undo(undo)
    assert (len(tries), guard.faults) == (2, 1)


@pytest.mark.usefixtures("lenient")
def test_an_interrupt_is_raised_once_all_is_undone() -> None:
    """What it has broken off is done again first."""
    tries: list[int] = []

    def undo() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Guard().undo(undo)
    assert len(tries) == 2


@pytest.mark.usefixtures("lenient")
def test_what_must_be_done_raises_where_it_cannot_be() -> None:
    """The second time: who insists is told."""
    guard = Guard()

    def fail() -> None:
        raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        guard.insist(fail)
    guard.undo(fail)
    assert guard.faults == 1 + 2


@pytest.mark.usefixtures("lenient")
def test_a_fault_is_told_as_what_comes_of_it() -> None:
    """With a sentence, and from what it was."""
    guard = Guard()
    with (
        pytest.raises(CommandError, match="it is as it was: gradgate failed inside") as caught,
        telling(guard, CommandError, "it is as it was"),
    ):
        raise KeyError("mine")
    assert isinstance(caught.value.__cause__, KeyError)
    assert guard.faults == 1


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("kind", [ValueError, TypeError, ExpectationError, KeyboardInterrupt])
def test_a_mistake_of_the_scripts_is_told_as_it_is(kind: type[BaseException]) -> None:
    """A wrong argument is no fault of the probe's, and an interrupt is the script's."""
    guard = Guard()
    with pytest.raises(kind, match="the script's"), telling(guard, CommandError, "nothing"):
        raise kind("the script's")
    assert guard.faults == 0


@pytest.mark.usefixtures("lenient")
def test_what_a_call_of_the_scripts_raises_is_told_as_it_is() -> None:
    """Whatever that is."""

    def break_off() -> None:
        raise LookupError("the script's")

    call, guard = Call(break_off), Guard()
    with (
        pytest.raises(LookupError, match="the script's"),
        telling(guard, CommandError, "nothing", call),
    ):
        call()


@pytest.mark.usefixtures("lenient")
def test_a_hook_may_tell_the_script_of_its_mistakes() -> None:
    """By errors of the probe's own kinds, and by no others."""
    guard = Guard()

    def act(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 1

    hook = TellingHook(guard, act)
    assert hook(None) == 1
    assert hook(KeyError("mine")) is None
    with pytest.raises(CommandError, match="yours"):
        hook(CommandError("yours"))
    assert guard.faults == 1


@pytest.mark.usefixtures("lenient")
def test_what_must_not_happen_without_a_hook_is_refused_by_its_faults() -> None:
    """They are told by an error of the probe's own, and counted."""
    guard = Guard()
    hook = RefusingHook(guard, lambda divisor: 1 / divisor, CommandError, "no step is made")
    assert hook(1) == 1
    with pytest.raises(CommandError, match=r"no step is made: gradgate failed inside \(ZeroDiv"):
        hook(0)
    assert guard.faults == 1


@pytest.mark.usefixtures("lenient")
def test_who_logs_hears_nothing_of_a_handlers_faults() -> None:
    """What torch does after it has logged something is done."""
    guard, heard = Guard(), list[str]()

    def receive(record: logging.LogRecord) -> None:
        heard.append(record.getMessage())
        raise KeyError("mine")

    logger = logging.Logger("torch's")
    logger.addHandler(GuardedHandler(guard, receive, logging.WARNING))
    logger.info("too low")
    logger.warning("given up")
    assert (heard, guard.faults) == (["given up"], 1)


@pytest.mark.usefixtures("lenient")
def test_who_listens_hears_of_each_fault() -> None:
    """Of those too that are logged no more; one that fails itself is no fault."""
    guard, heard = Guard(), list[str]()

    def listen(error: Exception) -> None:
        heard.append(str(error))
        raise KeyError("in listening")

    guard.listener = listen
    for _ in range(3):
        with guard:
            raise ValueError("mine")
    assert (heard, guard.faults) == (["mine"] * 3, 3)
