"""The errors that the probe raises to its caller.

GradgateError
├── AttachError   the model or the optimizer given to ``attach`` cannot be watched
├── TargetError   a target of ``freeze`` or ``thaw`` names nothing
└── CommandError  a command is understood but cannot be done

They are raised only from calls that the user's own code makes. Inside hooks and in
the background thread nothing is raised: see :mod:`gradgate.probe.guard`.
"""

from __future__ import annotations


class GradgateError(Exception):
    """Base of all errors of the probe."""


class AttachError(GradgateError, TypeError):
    """The model or the optimizer given to ``attach`` cannot be watched."""


class TargetError(GradgateError, ValueError):
    """A target names no parameter; the message names the nearest names."""


class CommandError(GradgateError, ValueError):
    """A command is understood but cannot be done; the message says why."""
