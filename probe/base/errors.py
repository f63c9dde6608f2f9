"""The errors that the probe raises to its caller.

GradgateError
├── AttachError     the model or the optimizer given to ``attach`` cannot be watched
├── TargetError     a target of ``freeze`` or ``thaw`` names nothing
├── ConditionError  the condition of a gate cannot be read, or not be decided now
├── CommandError    a command is understood but cannot be done
│   └── MissingFromTorch  as it needs a private part that this torch does not have
├── StepError       ``run.step()`` was called where an optimizer makes the steps
└── ExpectationError  what ought to train does not, and ``attach`` was told to be strict

They are raised only from calls that the user's own code makes. Inside hooks and in
the background thread nothing else is raised: see :mod:`gradgate.probe.base.guard`. An
ExpectationError comes out of ``optimizer.step()``, as was asked for.
"""

from __future__ import annotations


class GradgateError(Exception):
    """Base of all errors of the probe."""


class AttachError(GradgateError, TypeError):
    """The model or the optimizer given to ``attach`` cannot be watched."""


class TargetError(GradgateError, ValueError):
    """A target names no parameter; the message names the nearest names."""


class ConditionError(GradgateError, ValueError):
    """The condition of a gate cannot be read, or not be decided now.

    ``message`` is one sentence and ``column`` (from 0, or None) the place in the condition
    that it is about. Where ``text``, the condition, is given, ``str(error)`` has two more
    lines: the text, and a caret under that place.
    """

    def __init__(self, message: str, column: int | None = None, text: str | None = None) -> None:
        pointed = ""
        if column is not None and text is not None and text.isprintable():
            pointed = f"\n  {text}\n  {' ' * column}^"
        super().__init__(message + pointed)
        self.message = message
        self.column = column


class CommandError(GradgateError, ValueError):
    """A command is understood but cannot be done; the message says why."""


class MissingFromTorch(CommandError):
    """This torch has no such private part, which what was asked for needs."""

    def __init__(self, name: str, version: str, otherwise: str) -> None:
        """``otherwise``: what happens without it."""
        super().__init__(
            f"torch {version} has no {name!r} ({otherwise}); use a version of torch that this "
            "version of Gradgate supports, or a newer Gradgate."
        )
        self.name = name


class StepError(GradgateError, RuntimeError):
    """``run.step()`` was called in a run whose steps an optimizer makes."""


class ExpectationError(GradgateError, RuntimeError):
    """What a strict ``attach(..., expect=[...])`` named does not train; the message says why."""
