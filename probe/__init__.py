"""What runs inside the training job: measure gradients, freeze parameters, tell the dashboard."""

from .attach import attach
from .errors import (
    AttachError,
    CommandError,
    ConditionError,
    ExpectationError,
    GradgateError,
    TargetError,
)
from .expectations import Alert
from .explain import explain
from .explanation import Explanation, Station
from .freezing import Freeze
from .gate import GateInfo
from .info import ParameterInfo
from .labels import site
from .places import Snippet
from .preview import Preview
from .run import Run

__all__ = [
    "Alert",
    "AttachError",
    "CommandError",
    "ConditionError",
    "ExpectationError",
    "Explanation",
    "Freeze",
    "GateInfo",
    "GradgateError",
    "ParameterInfo",
    "Preview",
    "Run",
    "Snippet",
    "Station",
    "TargetError",
    "attach",
    "explain",
    "site",
]
