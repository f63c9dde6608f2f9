"""The server's metrics for Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..live.hub import Hub
from ..live.refusal_log import RefusalLog
from ..protocol.version import VERSION
from ..store.database import Store
from ..store.figures import KeptFigures


class Metrics:
    """What one server tells Prometheus; no label has a value that a caller chooses."""

    def __init__(self, hub: Hub, store: Store, refusals: RefusalLog, answers: Counter) -> None:
        self._registry = CollectorRegistry()
        writer = hub.writer
        Info(
            "gradgate_build", "The versions of Gradgate and of Python.", registry=self._registry
        ).info({"version": VERSION, "python": platform.python_version()})
        connections = Gauge(
            "gradgate_connections",
            "WebSockets that are open: of jobs, and of pages.",
            ["peer"],
            registry=self._registry,
        )
        connections.labels("job").set_function(lambda: hub.probes)
        connections.labels("page").set_function(lambda: hub.browsers)
        self._gauge(
            "gradgate_write_queue_entries",
            "Frames and tasks that wait to be written.",
            lambda: writer.waiting,
        )
        self._gauge(
            "gradgate_write_queue_bytes",
            "Bytes of the frames among them.",
            lambda: writer.waiting_bytes,
        )
        self._gauge(
            "gradgate_store_last_write_timestamp_seconds",
            "When something was last written to the store.",
            lambda: writer.last_commit,
        )
        self._gauge(
            "gradgate_store_failing",
            "1 where the store is damaged or the latest write failed, else 0.",
            lambda: store.damage is not None or writer.error is not None or not writer.running,
        )
        for each in (writer.metrics, refusals.metric, answers, _StoreCollector(store)):
            self._registry.register(each)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return them in Prometheus' text format; waits for the store, and writes nothing."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self._registry).set_function(value)


class _StoreCollector(Collector):
    """What the store holds; nothing where it cannot be read."""

    def __init__(self, store: Store) -> None:
        self._figures = KeptFigures(store)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: registering them does not read the store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted of late."""
        try:
            figures = self._figures.read()
        except SQLAlchemyError:
            return
        runs = GaugeMetricFamily(
            "gradgate_runs", "Runs that the store has, by how they are.", labels=["status"]
        )
        for status, count in figures.runs.items():
            runs.add_metric([status.value], count)
        commands = GaugeMetricFamily(
            "gradgate_commands",
            "Commands that the store has, by how far they are.",
            labels=["state"],
        )
        for state, count in figures.commands.items():
            commands.add_metric([state.value], count)
        yield runs
        yield commands
        yield GaugeMetricFamily(
            "gradgate_open_alerts", "Alerts that nobody has dismissed.", figures.open_alerts
        )
        yield GaugeMetricFamily(
            "gradgate_store_bytes", "The size of the data base, its log included.", figures.size
        )


def answer_counter() -> Counter:
    """Return what counts answers by their status, those that refuse among them."""
    return Counter(
        "gradgate_http_answers",
        "Answers to requests, by status: 400 an unknown host, 401 no token, 403 a token or an "
        "origin that may not do this, 413 too large, 429 too many wrong tokens.",
        ["status"],
        registry=None,
    )


class CountAnswers:
    """ASGI middleware that counts answers."""

    def __init__(self, app: ASGIApp, answers: Counter) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers.labels(str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, sender)
