"""Hears of functions that ``torch.compile`` has given up: nothing but its log says so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ..base.guard import Guard, GuardedHandler
from ..base.undo import Undo, whole
from ..base.weak_methods import while_alive

LOGGER = "torch._dynamo.convert_frame"
"""Seen in torch 2.8 to 2.15. Where it is called otherwise, nothing is heard."""

OWN = str(Path(__file__).parents[1])


class RecompileLimits:
    """Calls back with the name and place of each function that runs eagerly from then on.

    Dynamo makes so many versions of a function (``torch._dynamo.config.recompile_limit``), for
    other shapes or modules, and then leaves it as it is.
    """

    def __init__(self, given_up: Callable[[str], object], guard: Guard) -> None:
        """``given_up`` is a method, whose object is not kept alive."""
        self._guard = guard
        self._handler = GuardedHandler(guard, _Listener(given_up).hear, logging.WARNING)
        self._end: Undo | None = None

    def follow(self, *, needed: bool) -> None:
        """Listen, or no longer."""
        logger = logging.getLogger(LOGGER)
        if needed and self._end is None:
            self._end = Undo(self._guard, self, logger.removeHandler, self._handler)
            with whole([self._end]):
                logger.addHandler(self._handler)
        elif not needed and self._end is not None:
            self._end()
            self._end = None


class _Listener:
    def __init__(self, given_up: Callable[[str], object]) -> None:
        self._given_up = while_alive(given_up, lambda *_: None)

    def hear(self, record: logging.LogRecord) -> None:
        """Pick out the one message: its arguments are the limit, its value and the function."""
        given = record.args
        if "hit config." not in str(record.msg) or not isinstance(given, tuple) or len(given) < 3:
            return
        function = str(given[2])
        if OWN not in function:  # a hook of Gradgate's has nothing to compile
            self._given_up(function)
