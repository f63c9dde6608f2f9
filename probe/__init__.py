"""What runs inside the training job: measure gradients, freeze parameters, tell the dashboard."""

from .attach import attach
from .errors import AttachError, CommandError, GradgateError, TargetError
from .freezing import Freeze
from .info import ParameterInfo
from .preview import Preview
from .run import Run

__all__ = [
    "AttachError",
    "CommandError",
    "Freeze",
    "GradgateError",
    "ParameterInfo",
    "Preview",
    "Run",
    "TargetError",
    "attach",
]
