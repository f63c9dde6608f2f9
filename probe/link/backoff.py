"""How long the link waits between two tries to reach a server."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_PAUSE = 0.1
"""Seconds that the first pause takes at most."""
LONGEST_PAUSE = 5.0
"""Seconds that any takes at most, while nothing says that the server will not help."""
GROWTH = 1.7
"""How much longer each pause may be than the one before."""
REFUSED_PAUSE = 30.0
"""Seconds before another try, at least, after the server said that it would not help."""


class Backoff:
    """Pauses of a random length up to a bound, which grows from try to try.

    So the jobs of a cluster whose server was away do not come back all at once (full jitter:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter). The random numbers
    are its own, and none of the script's.
    """

    def __init__(self, draw: Callable[[float, float], float] | None = None) -> None:
        """``draw`` returns a number between two."""
        self._draw = draw or random.Random().uniform
        self._bound = FIRST_PAUSE

    def failed(self) -> float:
        """Return the pause after a try that came to nothing, or a connection that broke."""
        bound = self._bound
        self._bound = min(LONGEST_PAUSE, bound * GROWTH)
        return self._draw(0.0, bound)

    def foreign(self) -> float:
        """Return the pause after an answer of something that is no server of Gradgate's."""
        return self._draw(LONGEST_PAUSE / 2, LONGEST_PAUSE)

    def refused(self) -> float:
        """Return the pause after a server said that it would not help."""
        return self._draw(REFUSED_PAUSE, 1.5 * REFUSED_PAUSE)

    def held(self, seconds: float) -> None:
        """Begin anew after a connection that has held for longer than the next pause may take.

        One that breaks as soon as it is made is a try like others.
        """
        if seconds > self._bound:
            self._bound = FIRST_PAUSE
