"""Functions that Dynamo gives up are heard of by its log, for as long as somebody listens."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.torch_compat.recompile_limits import LOGGER, RecompileLimits

HIT = "torch._dynamo hit config.%s (%s)\n   function: %s\n"


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.limits = RecompileLimits(self.take, Guard())

    def take(self, function: str) -> None:
        self.told.append(function)


def test_a_function_is_told_by_name_and_place_while_it_is_wanted() -> None:
    """Other warnings of Dynamo's are none of ours, and nothing is heard before or after."""
    logger, listener = logging.getLogger(LOGGER), Listener()
    before = list(logger.handlers)
    for needed in (False, True, True):
        listener.limits.follow(needed=needed)
        logger.warning(HIT, "recompile_limit", 8, "'forward' (model.py:3)")
        logger.warning("something else (%s) %s %s", 1, 2, 3)
        logger.warning("hit config. without arguments")
    listener.limits.follow(needed=False)
    logger.warning(HIT, "recompile_limit", 8, "'forward' (model.py:4)")
    assert listener.told == ["'forward' (model.py:3)"] * 2
    assert logger.handlers == before


def test_gradgates_own_hooks_are_left_out() -> None:
    """There is nothing to compile in them."""
    listener = Listener()
    listener.limits.follow(needed=True)
    own = Path(probe.__file__).parent / "torch_compat" / "module_hooks.py"
    logging.getLogger(LOGGER).warning(HIT, "recompile_limit", 8, f"'__call__' ({own}:41)")
    listener.limits.follow(needed=False)
    assert listener.told == []


def test_a_listener_that_is_gone_leaves_the_log_alone() -> None:
    """It is not kept alive by the log, nor does it stay on it."""
    logger = logging.getLogger(LOGGER)
    before = list(logger.handlers)
    listener = Listener()
    listener.limits.follow(needed=True)
    del listener
    gc.collect()
    assert logger.handlers == before
