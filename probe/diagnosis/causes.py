"""Every cause there is, with the word that is sent.

To add one: a class where its kind is, its place in :data:`CAUSES`, and the rule that finds it.
"""

from __future__ import annotations

from .cause import Cause
from .missing_causes import (
    Detached,
    FrozenByCommand,
    FrozenByScript,
    Gated,
    ModuleNotCalled,
    NoBackward,
    NoGrad,
    NotDifferentiable,
    NotInLoss,
    NotInOptimizer,
    ParameterNotUsed,
    Unknown,
)
from .update_causes import UPDATE_CAUSES
from .value_causes import Nonfinite, Overwritten, WrongBackward, ZeroGradient

CAUSES: tuple[type[Cause], ...] = (
    FrozenByScript,
    FrozenByCommand,
    Gated,
    ModuleNotCalled,
    ParameterNotUsed,
    NoGrad,
    Detached,
    NotDifferentiable,
    NotInLoss,
    ZeroGradient,
    Nonfinite,
    Overwritten,
    NotInOptimizer,
    NoBackward,
    *UPDATE_CAUSES,
    WrongBackward,
    Unknown,
)
"""Every cause, in the order of the protocol and of the documentation."""
WORDS = tuple(cause.word for cause in CAUSES)
