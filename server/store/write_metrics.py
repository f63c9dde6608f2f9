"""What a writer has taken and written, counted for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Histogram, Metric
from prometheus_client.registry import Collector

from ..protocol.frames import Sample
from .recording import Frame

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WriteMetrics(Collector):
    """The metrics of one writer; each of them is for one thread to change, and any to read."""

    def __init__(self) -> None:
        self._samples = Counter(
            "gradgate_ingested_samples",
            "Samples taken from jobs to be stored, each once.",
            registry=None,
        )
        self._frames = Counter(
            "gradgate_ingested_frames",
            "Frames taken from jobs to be stored, samples among them.",
            registry=None,
        )
        self._bytes = Counter(
            "gradgate_ingested_bytes", "Bytes of those frames, as they came.", registry=None
        )
        self._seconds = Histogram(
            "gradgate_store_write_seconds",
            "How long transactions took that wrote to the store, until they were on the disk.",
            registry=None,
            buckets=_SECONDS,
        )
        self._failures = Counter(
            "gradgate_store_write_failures",
            "Transactions that could not be written, each try by itself.",
            registry=None,
        )

    def took(self, frame: Frame, size: int) -> None:
        """Count a frame that is to be stored, with its size in bytes."""
        if isinstance(frame, Sample):
            self._samples.inc()
        self._frames.inc()
        self._bytes.inc(size)

    def wrote(self, seconds: float) -> None:
        """Count a transaction that was committed."""
        self._seconds.observe(seconds)

    def failed(self) -> None:
        """Count one that was not."""
        self._failures.inc()

    def collect(self) -> Iterator[Metric]:
        """Yield what there is to tell."""
        for each in (self._samples, self._frames, self._bytes, self._seconds, self._failures):
            yield from each.collect()
