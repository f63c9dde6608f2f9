"""How old frames become before the next look at them."""

from __future__ import annotations

from collections import deque


class Ages:
    """Says which frames would be older than they may be by the next look.

    No frame has a time of its own: a look knows the number of the latest, and that those above the
    number of the look before were put since then. Where looks come late, as on a machine with more
    to do than it can, the next one is taken to come as late.
    """

    def __init__(self, most: float, now: float) -> None:
        """``most``: seconds; ``now``: by the clock of the looks."""
        self._most = most
        self._last = now
        self._looks: deque[tuple[float, int]] = deque()
        """When the look before was, and the number of the latest frame at this one."""

    def too_old(self, now: float, newest: int) -> int:
        """Look: return the number up to which frames are too old to wait; 0 for none."""
        self._looks.append((self._last, newest))
        next_look = now + now - self._last
        self._last = now
        found = 0
        while self._looks and self._looks[0][0] + self._most <= next_look:
            _, found = self._looks.popleft()
        return found
