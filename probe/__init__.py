"""What runs inside the training job: measure gradients, freeze parameters, tell the dashboard."""

from .attach import attach
from .errors import AttachError, CommandError, ConditionError, GradgateError, TargetError
from .freezing import Freeze
from .gate import GateInfo
from .info import ParameterInfo
from .labels import site
from .preview import Preview
from .run import Run

__all__ = [
    "AttachError",
    "CommandError",
    "ConditionError",
    "Freeze",
    "GateInfo",
    "GradgateError",
    "ParameterInfo",
    "Preview",
    "Run",
    "TargetError",
    "attach",
    "site",
]
