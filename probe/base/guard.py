"""The one place that keeps the probe's own faults out of the training job.

Whatever torch, an optimizer, a module, the interpreter or the script calls of the probe is called
by something made here: a :class:`GuardedHook`, a :class:`GuardedAround`, a :class:`GuardedMode`, or
a function that :func:`silent` or :func:`commanding` has decorated. So the outermost frame of the
probe's is always one of this file, which ``tests/end_to_end/test_faults.py`` holds.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from time import perf_counter
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import torch
from torch.compiler import is_dynamo_compiling
from torch.overrides import TorchFunctionMode

from .account import Account
from .errors import CommandError, ExpectationError, GradgateError

logger = logging.getLogger("gradgate")

MOST_KINDS = 20
"""Kinds of faults that are logged."""

P = ParamSpec("P")
Answer = TypeVar("Answer")


def hand_on(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what the script called, where something of Gradgate's stands in between.

    Every wrapper does it by this function, so that what follows counts as the script's own.
    """
    return function(*args, **kwargs)


class Guard:
    """A context manager that logs and counts the probe's own errors instead of raising them.

    Every hook and the background thread run inside it. The first error of each kind
    (its type and message) is logged with its traceback, later ones are only counted: a
    fault in every step must not flood the job's log. With ``GRADGATE_STRICT=1`` in the
    environment (as in Gradgate's own tests) errors are raised.

    An :class:`ExpectationError` is no fault: a strict ``attach`` asks for it.
    """

    def __init__(self) -> None:
        self.account = Account()
        """Of what hooks take."""
        self.faults = 0
        self.listener: Callable[[Exception], object] = lambda _: None
        """Told of each fault."""
        self._logged: set[str] = set()

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        return self.receive(error)

    def receive(self, error: Exception) -> bool:
        """Log and count a fault; return whether it is one that nobody else is to see."""
        if isinstance(error, ExpectationError):
            return False
        self.faults += 1
        with contextlib.suppress(Exception):  # a handler of the script's own may fail, or memory
            self._log(error)
        with contextlib.suppress(Exception):
            self.listener(error)
        return os.environ.get("GRADGATE_STRICT") != "1"

    def run(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        """Call what a hook does, guarded and on the probe's account; None after a fault."""
        outermost = self.account.began is None
        if outermost:
            self.account.began = perf_counter()
        try:
            return function(*args, **named)
        except Exception as error:
            if not self.receive(error):
                raise
        finally:
            if outermost:
                self.account.end()
        return None

    def attempt(self) -> Attempt:
        """Guard one item of several, so that an error of its own can be told and stays alone."""
        return Attempt(self)

    def undo(self, step: Callable[[], object]) -> None:
        """Undo something, which can be done twice: once more where it fails, or is interrupted.

        An interrupt is raised all the same, after that.
        """
        with self:
            self.insist(step)

    def insist(self, step: Callable[[], object]) -> None:
        """Do something, which can be done twice: once more where it fails, or is interrupted.

        What the second time raises is raised, and an interrupt in any case.
        """
        try:
            step()
        except BaseException as error:
            if isinstance(error, Exception) and not self.receive(error):
                raise
            step()
            if not isinstance(error, Exception):
                raise

    def _log(self, error: Exception) -> None:
        key = f"{type(error).__name__}: {error}"
        if key in self._logged or len(self._logged) >= MOST_KINDS:
            return
        self._logged.add(key)
        logger.error(
            "gradgate failed inside (%s); training goes on without this measurement. "
            "Please report it with the traceback below.",
            key,
            exc_info=(type(error), error, error.__traceback__),
        )


class Attempt:
    """A guarded block that keeps its error: the item it dealt with is answered by that."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.error: Exception | None = None

    @property
    def fault(self) -> str:
        """A sentence's part that names the error; empty if there was none."""
        if self.error is None:
            return ""
        return f"gradgate failed inside ({type(self.error).__name__}: {self.error})"

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self._guard.__exit__(kind, error, traceback)


@contextlib.contextmanager
def telling(
    guard: Guard, kind: type[GradgateError], what: str, script: Call | None = None
) -> Iterator[None]:
    """Raise an error of ``kind`` in place of a fault: ``what`` comes of it.

    What tells the script of a mistake of its own is raised as it is, and so is what comes from
    ``script``, a call of its own.
    """
    attempt = guard.attempt()
    try:
        yield
    except (GradgateError, ValueError, TypeError):
        raise
    except Exception as error:
        attempt.error = error
        if (script is not None and error is script.error) or not guard.receive(error):
            raise
        raise kind(f"{what}: {attempt.fault}.") from error


class GuardedHook:
    """A function that something else calls, and which returns None after a fault.

    For each of torch's hooks that says that all stays as it came.
    """

    def __init__(self, guard: Guard, function: Callable[..., Any]) -> None:
        self.guard = guard
        self._function = function

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the function, as :meth:`Guard.run` does.

        Without a call of that: between two hooks a step takes the place of both in the processor's
        caches, and the way in costs more than what most of them do.
        """
        if is_dynamo_compiling():  # it makes its own of what it traces
            return self.trace(*args, **named)
        account = self.guard.account
        outermost = account.began is None
        if outermost:
            account.began = perf_counter()
        try:
            return self.run(*args, **named)
        except Exception as error:
            if not self.guard.receive(error):
                raise
        finally:
            if outermost:
                account.end()
        return None

    def trace(self, *args: Any, **named: Any) -> Any:
        """Do what the hook does where Dynamo traces it."""
        return self._function(*args, **named)

    def run(self, *args: Any, **named: Any) -> Any:
        """Do what the hook does where nothing is traced."""
        return self._function(*args, **named)


class TellingHook(GuardedHook):
    """A hook that may tell the script of its mistakes: by errors of the probe's own kinds."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the function, guarded."""
        try:
            return self._function(*args, **named)
        except GradgateError:
            raise
        except Exception as error:
            if not self.guard.receive(error):
                raise
        return None


class RefusingHook(GuardedHook):
    """A hook before something that must not happen without it: a fault is raised there.

    As an error of the probe's own, which the script can catch.
    """

    def __init__(
        self,
        guard: Guard,
        function: Callable[..., Any],
        kind: type[GradgateError],
        what: str,
    ) -> None:
        """``kind`` and ``what``: the error, and what comes of a fault."""
        super().__init__(guard, function)
        self._kind, self._what = kind, what

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the function, or raise."""
        with telling(self.guard, self._kind, self._what):
            return self._function(*args, **named)


class GuardedHandler(logging.Handler):
    """A handler of a logger's; whoever logs something hears nothing of its faults."""

    def __init__(
        self, guard: Guard, receive: Callable[[logging.LogRecord], object], level: int
    ) -> None:
        super().__init__(level)
        self._receive = GuardedHook(guard, receive)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        self._receive(record)


class Call:
    """The call that the script has made, for what stands around it; it is made once at most."""

    __slots__ = ("account", "error", "function", "is_done", "made")

    def __init__(self, function: Callable[..., Any], account: Account | None = None) -> None:
        """``account``: the one that runs, and does not count what the script's own call takes."""
        self.function = function
        self.account = account
        self.is_done = False
        self.made: Any = None
        self.error: BaseException | None = None
        """What the function has raised, which is the script's."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Make it."""
        if self.account is not None:
            self.account.end()
        try:
            self.made = hand_on(self.function, *args, **named)
        except BaseException as error:
            self.error = error
            raise
        finally:
            if self.account is not None:
                self.account.began = perf_counter()
        self.is_done = True
        return self.made


class GuardedAround:
    """Stands around calls of functions: ``around`` is given the call, and what it was given.

    After a fault the script gets what its call has returned or raised. Where it was not made yet,
    ``around`` has a second chance, for it may have been want of memory, and then the call is made,
    once, as the script has made it.
    """

    def __init__(self, guard: Guard, around: Callable[..., Any]) -> None:
        self._guard = guard
        self._around = around

    def __call__(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        """Call ``around`` for a call of ``function``, guarded."""
        if is_dynamo_compiling():
            return self._around(function, *args, **named)
        account = self._guard.account
        if account.began is not None:  # the probe itself calls, or what stands around that
            return self._stand(Call(function), *args, **named)
        account.began = perf_counter()
        try:
            return self._stand(Call(function, account), *args, **named)
        finally:
            account.end()

    def _stand(self, call: Call, *args: Any, **named: Any) -> Any:
        for _ in range(2):
            try:
                return self._around(call, *args, **named)
            except Exception as error:
                if call.error is not None and error is not call.error:
                    raise call.error from None
                if call.error is not None or not self._guard.receive(error):
                    raise
            finally:
                call.error = None  # it leads to this frame
            if call.is_done:
                return call.made
        try:
            return call(*args, **named)
        finally:
            call.error = None


def surrounded(
    function: Callable[..., Any], standing: Sequence[Callable[..., Any]]
) -> Callable[..., Any]:
    """Return what takes the place of ``function``: the last of those around it is the outermost.

    ``standing``: :class:`GuardedAround`, which may become more and less.
    """

    def call(*args: Any, **named: Any) -> Any:
        surrounding = partial(hand_on, function)
        for around in tuple(standing):
            surrounding = partial(around, surrounding)
        return surrounding(*args, **named)

    return call


def stood_around(
    guard: Guard, function: Callable[..., Any], around: Callable[..., Any]
) -> Callable[..., Any]:
    """Return what takes the place of ``function``, and has ``around`` alone around it."""
    guarded = GuardedAround(guard, around)

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        return guarded(function, *args, **named)

    return call


class GuardedFunction:
    """A function of the script's that something else is given in its place, with all around it."""

    def __init__(
        self, guard: Guard, function: Callable[..., Any], around: Callable[..., Any]
    ) -> None:
        self.function = function
        self._around = GuardedAround(guard, around)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call it."""
        return self._around(self.function, *args, **named)


class GuardedMode(TorchFunctionMode):
    """Stands around calls of torch's functions; see :class:`GuardedAround`."""

    def __init__(self, guard: Guard, around: Callable[..., Any]) -> None:
        super().__init__()
        self._call = GuardedAround(guard, around)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call ``around`` for a call of ``func``."""
        return self._call(func, *args, **(kwargs or {}))


def identity(guard: Guard, function: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Return a function of ``x`` and a label, which returns ``x`` after a fault."""

    @wraps(function)
    def call(x: Any, label: str) -> Any:
        if torch.compiler.is_compiling():
            return function(x, label)
        with guard:
            return function(x, label)
        return x

    return call


class HasGuard(Protocol):
    """What the script calls methods of."""

    @property
    def guard(self) -> Guard:
        """Keeps faults of the probe's own from the script."""


Caller = TypeVar("Caller", bound=HasGuard)
Method = Callable[Concatenate[Caller, P], Answer]


class Decorator(Protocol):
    """Decorates a method, which keeps its type."""

    def __call__(self, method: Method[Caller, P, Answer], /) -> Method[Caller, P, Answer]:
        """Return the method, guarded."""


def silent(otherwise: Callable[[], Any], *, tries: int = 1) -> Decorator:
    """Decorate what the script calls and what has nothing to raise: ``otherwise`` after a fault.

    ``tries``: how often it is tried.
    """

    def decorate(method: Method[Caller, P, Answer]) -> Method[Caller, P, Answer]:
        @wraps(method)
        def call(self: Caller, /, *args: P.args, **named: P.kwargs) -> Answer:
            if torch.compiler.is_compiling():
                return method(self, *args, **named)
            for _ in range(tries):
                try:
                    return method(self, *args, **named)
                except Exception as error:
                    told = isinstance(error, GradgateError) or not fits(
                        method, self, *args, **named
                    )
                    if told or not self.guard.receive(error):
                        raise
            made: Answer = otherwise()
            return made

        return call

    return decorate


def commanding(method: Method[Caller, P, Answer]) -> Method[Caller, P, Answer]:
    """Decorate what the script commands: a fault is an error that says that it was not done."""

    @wraps(method)
    def call(self: Caller, /, *args: P.args, **named: P.kwargs) -> Answer:
        attempt = self.guard.attempt()
        try:
            return method(self, *args, **named)
        except GradgateError:
            raise
        except Exception as error:
            attempt.error = error
            if not (fits(method, self, *args, **named) and self.guard.receive(error)):
                raise
        raise CommandError(f"this cannot be done: {attempt.fault}.")

    return call


def fits(function: Callable[..., Any], /, *args: Any, **named: Any) -> bool:
    """Return whether a function can be called so: else the script is told of its mistake."""
    try:
        inspect.signature(function).bind(*args, **named)
    except TypeError:
        return False
    return True
