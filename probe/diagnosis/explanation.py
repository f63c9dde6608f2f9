"""What is said of a parameter without a useful gradient."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..base.source import Snippet

FROZEN_BY_SCRIPT = "frozen_by_script"
FROZEN_BY_COMMAND = "frozen_by_command"
GATED = "gated"
MODULE_NOT_CALLED = "module_not_called"
PARAMETER_NOT_USED = "parameter_not_used"
NO_GRAD = "no_grad"
DETACHED = "detached"
NOT_DIFFERENTIABLE = "not_differentiable"
NOT_IN_LOSS = "not_in_loss"
ZERO_GRADIENT = "zero_gradient"
NONFINITE = "nonfinite"
NOT_IN_OPTIMIZER = "not_in_optimizer"
NO_BACKWARD = "no_backward"
UNKNOWN = "unknown"

CAUSES = (
    FROZEN_BY_SCRIPT,
    FROZEN_BY_COMMAND,
    GATED,
    MODULE_NOT_CALLED,
    PARAMETER_NOT_USED,
    NO_GRAD,
    DETACHED,
    NOT_DIFFERENTIABLE,
    NOT_IN_LOSS,
    ZERO_GRADIENT,
    NONFINITE,
    NOT_IN_OPTIMIZER,
    NO_BACKWARD,
    UNKNOWN,
)


@dataclass(frozen=True)
class Station:
    """A stop of the gradient's way from the loss to a parameter."""

    label: str
    kind: str
    """``loss``, ``module``, ``call`` or ``parameter``."""
    flow: str
    """``flows``: a gradient got here; ``stops``: here it ended; ``none``: behind that."""
    where: str | None


@dataclass(frozen=True)
class Explanation:
    """Why a parameter has no useful gradient, where that comes from, and what to change."""

    cause: str
    """One of :data:`CAUSES`."""
    where: str | None
    """``path/to/file.py:41``, or None where the cause has no line."""
    detail: str
    advice: str
    path: tuple[Station, ...] = ()
    """From the loss back to the parameter; empty where no way is known."""
    source: Snippet | None = None
    """The line of ``where`` and a few around it."""

    def as_message(self) -> dict[str, Any]:
        """The explanation as the wire protocol has it."""
        return asdict(self)
