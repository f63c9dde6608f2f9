"""What a page is told: one class a topic, in one table, with when it is due and how it is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Connection

from ..protocol.browser_messages import (
    AlertsChanged,
    CommandsChanged,
    EventsChanged,
    ExplanationsChanged,
    FocusChanged,
    GatesChanged,
    NewDistributions,
    NewMetrics,
    OptimizersChanged,
    ParametersChanged,
    RunChanged,
    Watch,
)
from ..protocol.distributions import SeenDistributions
from ..protocol.frames import Sample, encode
from ..protocol.models import Message
from ..protocol.probe_messages import Distributions, Metrics
from ..protocol.totals import Totals
from ..store.alerts import alert_rows
from ..store.events import event_rows
from ..store.gates import gate_rows
from ..store.ledger import command_rows
from ..store.optimizers import optimizer_groups
from ..store.runs import run_row
from .band import Band
from .points import Points

COMMANDS_TOLD = 100
EVENTS_TOLD = 100

N = TypeVar("N")
F = TypeVar("F")

Ids = frozenset[int]
"""The ids of what changed; none where a topic is told of as a whole."""


@dataclass(frozen=True)
class Pace:
    """Seconds between two messages: at the least after news, at the most without any."""

    after_news: float
    without_news: float


class Topic(ABC, Generic[N]):
    """One thing that a page is told of; `N` is its news, which adds up until it is sent."""

    name: ClassVar[str]
    opens: ClassVar[bool] = False
    """Whether a page is told of it as soon as it comes."""
    pace: ClassVar[Pace | None] = None
    """None: it is sent as soon as the page takes it."""

    @abstractmethod
    def merge(self, waiting: N | None, later: N) -> N:
        """Add later news to those that wait, which may change; the later stay as they are."""

    def part(self, news: N, watched: Watch) -> N | None:
        """Return what of news is kept for a page that watches this; None where nothing is."""
        return news


class DirectTopic(Topic[N]):
    """A topic whose news are all that its message is made of."""

    @abstractmethod
    def message(self, news: N, watched: Watch) -> Message | bytes | None:
        """Return what a page is sent that watches this; None where there is nothing for it."""


class StreamedTopic(DirectTopic[N], Generic[N, F]):
    """A topic whose news are the frames of the job themselves."""

    frame: ClassVar[type | UnionType]

    @abstractmethod
    def news(self, frame: F) -> N:
        """Return the news in one frame."""


class ChangedTopic(Topic[Ids]):
    """A topic whose news are that something of it changed in the store."""

    def merge(self, waiting: Ids | None, later: Ids) -> Ids:
        """Add ids; news without any are of all that there is, and stay so."""
        if waiting is None:
            return later
        return waiting | later if waiting and later else frozenset()


class StoredTopic(ChangedTopic):
    """A topic that is read from the store when it is sent."""

    @abstractmethod
    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return what a page is sent; without ids, of all that there is."""


class NoticeTopic(ChangedTopic, DirectTopic[Ids]):
    """A topic of which a page fetches what it needs, once it knows that something changed."""

    notice: ClassVar[Message]

    def message(self, news: Ids, watched: Watch) -> Message:
        """Return what a page is sent."""
        return self.notice


class Samples(StreamedTopic[Band, Sample]):
    """The latest sample, and the range of those before it that were not sent."""

    name = "samples"
    frame = Sample

    def news(self, frame: Sample) -> Band:
        """Return the band of one sample."""
        return Band.of(frame)

    def merge(self, waiting: Band | None, later: Band) -> Band:
        """Widen the band."""
        return later if waiting is None else waiting.then(later)

    def message(self, news: Band, watched: Watch) -> bytes:
        """Return the binary frame of the band, with the statistics that the page shows."""
        if watched.statistics is None:
            return news.frame
        return encode(news.sample(watched.statistics))


class LoggedMetrics(StreamedTopic[Points, Metrics | Totals]):
    """What the job logged, and the total norms of its gradients."""

    name = "metrics"
    frame = Metrics | Totals

    def news(self, frame: Metrics | Totals) -> Points:
        """Return the points of one frame."""
        points = Points()
        if isinstance(frame, Totals):
            points.log_totals(frame)
        else:
            points.log(frame)
        return points

    def merge(self, waiting: Points | None, later: Points) -> Points:
        """Add points behind those that wait."""
        points = Points() if waiting is None else waiting
        points.extend(later)
        return points

    def message(self, news: Points, watched: Watch) -> Message:
        """Return the points, and whether they are all."""
        return NewMetrics(points=news.listed(), complete=news.complete)


class DistributionsTopic(StreamedTopic[Mapping[int, SeenDistributions], Distributions]):
    """The latest distributions of each parameter in focus."""

    name = "distributions"
    frame = Distributions

    def news(self, frame: Distributions) -> Mapping[int, SeenDistributions]:
        """Return those of one frame, by parameter."""
        return {
            each.parameter: SeenDistributions(**dict(each), step=frame.step, time=frame.time)
            for each in frame.parameters
        }

    def merge(
        self,
        waiting: Mapping[int, SeenDistributions] | None,
        later: Mapping[int, SeenDistributions],
    ) -> Mapping[int, SeenDistributions]:
        """Keep the later of each parameter."""
        return {**(waiting or {}), **later}

    def part(
        self, news: Mapping[int, SeenDistributions], watched: Watch
    ) -> Mapping[int, SeenDistributions] | None:
        """Return those that the page looks at, in its order."""
        return {index: news[index] for index in watched.focus if index in news} or None

    def message(self, news: Mapping[int, SeenDistributions], watched: Watch) -> NewDistributions:
        """Return what was kept for the page."""
        return NewDistributions(parameters=list(news.values()))


@dataclass(frozen=True)
class Focused:
    """What the job of a run looks at closely."""

    parameters: frozenset[int]
    known: int
    """Parameters that the run has."""
    most: int
    """Parameters that it looks at at once, at most."""
    problem: str | None
    """Why it looks at nothing, whatever pages ask for."""


class FocusTopic(DirectTopic[Focused]):
    """Which of the parameters that a page looks at closely the job looks at."""

    name = "focus"

    def merge(self, waiting: Focused | None, later: Focused) -> Focused:
        """Keep the later."""
        return later

    def message(self, news: Focused, watched: Watch) -> FocusChanged | None:
        """Return those of the page, and why it is not all."""
        if not watched.focus:
            return None
        seen = [index for index in watched.focus if index in news.parameters]
        problem = news.problem
        if problem is None and len(seen) < len(watched.focus):
            problem = _why_not(news, max(watched.focus))
        return FocusChanged(parameters=seen, problem=problem)


def _why_not(news: Focused, highest: int) -> str:
    """Say why a job does not look at all parameters up to this one, though it looks at some."""
    if highest >= news.known:
        return f"This run has no parameter {highest}, only {news.known}: load the page again."
    if news.most == 1:
        already = "Another parameter of this run is looked at closely already"
    else:
        already = f"{news.most} parameters of this run are looked at closely already"
    return (
        f"{already}, and a job looks at no more: this goes on as soon as somebody looks away from "
        "one."
    )


class RunTopic(StoredTopic):
    """The row of the run, which changes with every commit and ages by itself."""

    name = "run"
    opens = True
    pace = Pace(after_news=0.5, without_news=2.0)

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return the row."""
        return RunChanged(run=run_row(connection, run))


class CommandsTopic(StoredTopic):
    """The entries of the audit log that are new or changed."""

    name = "commands"
    opens = True

    def merge(self, waiting: Ids | None, later: Ids) -> Ids:
        """Add ids, and keep the latest."""
        return frozenset(sorted(super().merge(waiting, later))[-COMMANDS_TOLD:])

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return the rows of the commands, or of the latest."""
        limit = len(ids) if ids else COMMANDS_TOLD
        return CommandsChanged(commands=command_rows(connection, run, limit, set(ids) or None))


class GatesTopic(StoredTopic):
    """Every gate that there is."""

    name = "gates"
    opens = True

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return every row."""
        return GatesChanged(gates=gate_rows(connection, run))


class AlertsTopic(StoredTopic):
    """The alerts that there are."""

    name = "alerts"
    opens = True

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return every alert."""
        return AlertsChanged(alerts=alert_rows(connection, run))


class OptimizersTopic(StoredTopic):
    """The groups of the optimizers."""

    name = "optimizers"
    opens = True

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return every group."""
        found = optimizer_groups(connection, run)
        return OptimizersChanged(step=found.step, groups=found.groups)


class EventsTopic(StoredTopic):
    """The events that are new or changed."""

    name = "events"
    opens = True

    def merge(self, waiting: Ids | None, later: Ids) -> Ids:
        """Add ids, and keep the latest."""
        return frozenset(sorted(super().merge(waiting, later))[-EVENTS_TOLD:])

    def read(self, connection: Connection, run: str, ids: Ids) -> Message:
        """Return the rows of the events, or of the latest."""
        rows = event_rows(connection, run, limit=EVENTS_TOLD, ids=ids or None)
        return EventsChanged(events=rows)


class ParametersTopic(NoticeTopic):
    """The table, and what is frozen."""

    name = "parameters"
    notice = ParametersChanged()


class ExplanationsTopic(NoticeTopic):
    """What the latest traced step showed."""

    name = "explanations"
    notice = ExplanationsChanged()


RUN = RunTopic()
COMMANDS = CommandsTopic()
EVENTS = EventsTopic()
FOCUS = FocusTopic()

TOPICS: tuple[Topic[Any], ...] = (
    RUN,
    Samples(),
    ParametersTopic(),
    COMMANDS,
    GatesTopic(),
    ExplanationsTopic(),
    AlertsTopic(),
    OptimizersTopic(),
    EVENTS,
    LoggedMetrics(),
    FOCUS,
    DistributionsTopic(),
)
"""Every topic, in the order in which a page is sent what is due at once; those with a pace last."""
