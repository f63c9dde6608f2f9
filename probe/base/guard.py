"""The one place that keeps the probe's own faults out of the training job."""

from __future__ import annotations

import logging
import os
from types import TracebackType

logger = logging.getLogger("gradgate")


class Guard:
    """A context manager that logs and counts the probe's own errors instead of raising them.

    Every hook and the background thread run inside it. The first error of each kind
    (its type and message) is logged with its traceback, later ones are only counted: a
    fault in every step must not flood the job's log. With ``GRADGATE_STRICT=1`` in the
    environment (as in Gradgate's own tests) errors are raised.
    """

    def __init__(self) -> None:
        self.faults = 0
        self._logged: set[str] = set()
        self._strict = os.environ.get("GRADGATE_STRICT") == "1"

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        self.faults += 1
        key = f"{type(error).__name__}: {error}"
        if key not in self._logged and len(self._logged) < 20:
            self._logged.add(key)
            logger.error(
                "gradgate failed inside (%s); training goes on without this measurement. "
                "Please report it with the traceback below.",
                key,
                exc_info=(type(error), error, traceback),
            )
        return not self._strict

    def attempt(self) -> Attempt:
        """Guard one item of several, so that an error of its own can be told and stays alone."""
        return Attempt(self)


class Attempt:
    """A guarded block that keeps its error: the item it dealt with is answered by that."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.error: Exception | None = None

    @property
    def fault(self) -> str:
        """A sentence's part that names the error; empty if there was none."""
        if self.error is None:
            return ""
        return f"gradgate failed inside ({type(self.error).__name__}: {self.error})"

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self._guard.__exit__(kind, error, traceback)
