"""Counts the processes that a script starts to train in: they are not watched."""

from __future__ import annotations

from multiprocessing.process import BaseProcess
from typing import Any

from ..torch_compat.patching import listen_to


class Children:
    """Counts what ``multiprocessing`` starts, but for the workers of data loaders."""

    def __init__(self) -> None:
        self.count = 0
        self._starts = listen_to(BaseProcess, "start", lambda given, _: self._started(given[0]))
        self._starts.start()

    def stop(self) -> None:
        """Count no more."""
        self._starts.stop()

    def _started(self, process: Any) -> None:
        # Loaders make daemons; those that train, as torch.multiprocessing.spawn makes, are none.
        self.count += not process.daemon
