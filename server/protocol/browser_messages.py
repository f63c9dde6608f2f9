"""Every JSON message to a browser and of it (docs/protocol.md, section 2), as pydantic models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from . import limits
from .alerts import Alert
from .commands.row import CommandRow
from .distributions import SeenDistributions
from .events import EventRow
from .fields import Count, Index, Name, NonFinite
from .gates import GateRow
from .models import Message
from .optimizers import OptimizerGroup
from .runs import RunRow


class RunChanged(Message):
    """The row of the run."""

    type: Literal["run"] = "run"
    run: RunRow


class CommandsChanged(Message):
    """Rows of commands that are new or changed."""

    type: Literal["commands"] = "commands"
    commands: list[CommandRow]


class ParametersChanged(Message):
    """The table or what is frozen changed, fetch the parameters again."""

    type: Literal["parameters"] = "parameters"


class MetricPoint(Message):
    """What was logged at one step; a number that is not finite is null."""

    step: Count
    values: dict[str, float | None]
    nonfinite: dict[str, NonFinite] = Field(default={})
    """What those that are null are, by their names."""


class NewMetrics(Message):
    """What was logged since the last message, oldest first.

    `complete` is false when some of it was left out: fetch the metrics again.
    """

    type: Literal["metrics"] = "metrics"
    points: list[MetricPoint]
    complete: bool


class GatesChanged(Message):
    """Every gate that there is now."""

    type: Literal["gates"] = "gates"
    gates: list[GateRow]


class ExplanationsChanged(Message):
    """Another step was traced, fetch the explanations and the parameters again."""

    type: Literal["explanations"] = "explanations"


class AlertsChanged(Message):
    """The alerts and notes that there are now: the first 2,000."""

    type: Literal["alerts"] = "alerts"
    alerts: list[Alert]


class OptimizersChanged(Message):
    """The groups of the optimizers as the job last told of them."""

    type: Literal["optimizers"] = "optimizers"
    step: Count | None
    groups: list[OptimizerGroup]


class EventsChanged(Message):
    """Events that are new or changed; at connect the latest 100."""

    type: Literal["events"] = "events"
    events: list[EventRow]


class FocusChanged(Message):
    """Which of the parameters that a page looks at closely the job looks at."""

    type: Literal["focus"] = "focus"
    parameters: list[Index]
    problem: str | None
    """Why it does not look at the others."""


class NewDistributions(Message):
    """What was seen since the last message of the parameters that a page looks at closely."""

    type: Literal["distributions"] = "distributions"
    parameters: list[SeenDistributions]


ToBrowser = Annotated[
    RunChanged
    | CommandsChanged
    | ParametersChanged
    | NewMetrics
    | GatesChanged
    | ExplanationsChanged
    | AlertsChanged
    | OptimizersChanged
    | EventsChanged
    | FocusChanged
    | NewDistributions,
    Field(discriminator="type"),
]


class Watch(Message):
    """What a page shows, which is all that it is told of from now on; null is everything.

    `interval` is the least number of seconds between two messages of what the job streams;
    `focus` are the parameters that are looked at closely, by their places in the table;
    `holds` are the commands that last while this page is there.
    """

    type: Literal["watch"] = "watch"
    topics: Annotated[list[Name], Field(max_length=limits.WATCHED)] | None = None
    statistics: Annotated[list[Name], Field(max_length=limits.WATCHED)] | None = None
    interval: Annotated[float, Field(ge=0, le=limits.WATCH_SECONDS)] = 0.0
    focus: Annotated[list[Index], Field(max_length=limits.FOCUS)] = Field(default=[])
    holds: Annotated[list[Count], Field(max_length=limits.HOLDS)] = Field(default=[])


FromBrowser = Watch
