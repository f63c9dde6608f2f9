"""What runs inside the training job: measure gradients, freeze parameters, tell the dashboard."""

from .base.errors import (
    AttachError,
    CommandError,
    ConditionError,
    ExpectationError,
    GradgateError,
    TargetError,
)
from .base.source import Snippet
from .diagnosis.explanation import Explanation, Station
from .gates.labels import site
from .live.alerts import Alert
from .live.expected import Expected, expect
from .model.freeze import Freeze
from .model.gate_info import GateInfo
from .model.parameter_info import ParameterInfo
from .progress.thresholds import Thresholds
from .session.attach import attach
from .session.closure import explain
from .session.run import Run
from .steer.preview import Preview

__all__ = [
    "Alert",
    "AttachError",
    "CommandError",
    "ConditionError",
    "ExpectationError",
    "Expected",
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
    "Thresholds",
    "attach",
    "expect",
    "explain",
    "site",
]
