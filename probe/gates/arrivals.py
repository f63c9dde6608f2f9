"""The steps in which gradients came to a gate."""

from __future__ import annotations

from collections.abc import Callable

PATIENCE = 5
"""Steps after which a gate that no gradient has come to says so."""


class Arrivals:
    """Counts the steps of one gate, and knows why no gradient comes to it."""

    def __init__(self) -> None:
        self.steps = 0
        """Steps in which a gradient came."""
        self.closed_steps = 0
        """Of those, the steps in which the gate was closed at least once."""
        self.problem: str | None = None
        """Why gradients do not come to the gate, once that has lasted."""
        self._arrived = False
        """A gradient came in the present step."""
        self._closed = False
        """The gate was closed to one of them."""
        self._bypassed = False
        """A gradient has gone past the gate in the present step."""
        self.has_cut = False
        """The graph was cut in the present step's forward, because of this gate."""
        self._waited = 0

    @property
    def closed_now(self) -> bool:
        """Whether it was closed in the present step so far, and no gradient went past it."""
        return self._closed and not self._bypassed

    @property
    def arrived(self) -> bool:
        """Whether a gradient came in the present step so far."""
        return self._arrived

    def record(self, *, closed: bool) -> None:
        """Count a gradient, to which the gate was closed or open."""
        self._arrived = True
        self._closed |= closed

    def await_gradient(self) -> None:
        """Take a gate that is open before the forward for one to which no gradient came yet."""
        self._arrived = False

    def record_bypass(self, why: str) -> None:
        """Keep why a gradient goes past the gate in the present step."""
        self.problem, self._bypassed = why, True

    def end_step(self, why_none: Callable[[], str]) -> bool:
        """Account for the step that has ended; return whether a gradient came in it."""
        arrived = self._arrived
        if arrived:
            self.steps += 1
            self.closed_steps += self.closed_now
            self._waited = 0
            if not self._bypassed:
                self.problem = None
        else:
            self._waited += 1
            if self._waited % PATIENCE == 0 and not self._bypassed:
                reason = why_none()
                self.problem = f"no gradient has come here for {self._waited} steps: {reason}"
        self._arrived = self._closed = self._bypassed = self.has_cut = False
        return arrived
