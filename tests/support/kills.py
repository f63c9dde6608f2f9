"""A server that is killed again and again while a job sends samples and they are merged.

Usage: python -m tests.support.kills [--kills N] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed

from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.levels.cover import Range
from gradgate.server.store.levels.sizes import BLOCK_LEVEL, EXACT_SAMPLES
from gradgate.server.store.tables import spans
from gradgate.server.store.tracks import read_histories, read_tracks

from . import storing
from .probing import GRAD_NORM, FakeProbe, hello, pack_bundle, pack_sample
from .serving import ServerProcess

RUN = "f" * 16
WIDTH = 20
BUNDLE = 50
AHEAD = 500
"""Samples that are sent before they are acknowledged, at most."""
PERIOD = 4999


@dataclass(frozen=True)
class Outcome:
    """What there was at the end."""

    kills: int
    acknowledged: int
    stored: int
    blocks: int


def survive_kills(folder: Path, kills: int, seed: int) -> Outcome:
    """Kill a server so often, at random moments; what it acknowledged has to be there after each.

    Raises `AssertionError` when a sample is lost, twice there or changed.
    """
    draw = random.Random(seed)
    acknowledged = 0
    server = ServerProcess(folder).start()
    for _ in range(kills):
        acknowledged = _until_killed(server, acknowledged, draw.uniform(0.1, 1.5))
        server.restart()
    with FakeProbe(server, _greeting()) as probe:
        last = probe.welcome["last_seq"]
        assert last >= acknowledged, f"{acknowledged} was acknowledged and {last} is stored"
    server.stop()
    return Outcome(kills, acknowledged, last, _check(folder, last))


def _until_killed(server: ServerProcess, acknowledged: int, seconds: float) -> int:
    """Send on from what is stored until the server is killed; return what it acknowledged."""
    killer = threading.Timer(seconds, server.kill)
    with suppress(ConnectionClosed, OSError), FakeProbe(server, _greeting()) as probe:
        stored = probe.welcome["last_seq"]
        assert stored >= acknowledged, f"{acknowledged} was acknowledged and {stored} is stored"
        for last, bundle in _bundles(stored + 1):
            probe.send(bundle)
            while probe.acked < last - AHEAD:
                probe.receive()
                acknowledged = max(acknowledged, probe.acked)
                if probe.acked > stored and killer.ident is None:
                    killer.start()
    killer.join()
    return acknowledged


def _greeting() -> dict[str, object]:
    return hello(RUN, [f"p{place}" for place in range(WIDTH)])


def _bundles(first: int) -> Iterator[tuple[int, bytes]]:
    while True:
        norms, states = _made_up(np.arange(first, first + BUNDLE))
        frames = [
            pack_sample(first + row, first + row, states[row].tolist(), {GRAD_NORM: norms[row]})
            for row in range(BUNDLE)
        ]
        first += BUNDLE
        yield first - 1, pack_bundle(*frames)


def _made_up(numbers: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return norms and states that follow from the numbers of samples alone."""
    places = np.arange(WIDTH)
    mixed = (numbers[:, None] * 7919 + places * 104729) % PERIOD
    norms = np.exp((mixed / PERIOD - 0.5) * 20).astype(np.float32)
    states = np.full(norms.shape, State.PRESENT, np.uint8)
    states[mixed == 1] = State.NONFINITE
    norms[mixed == 1] = np.inf
    return norms, states


def _check(folder: Path, last: int) -> int:
    """Compare what is stored with what was sent; return how many blocks there are."""
    norms, states = _made_up(np.arange(1, last + 1))
    store = Store(storing.place(folder))
    try:
        with store.read() as connection:
            of_blocks = (spans.c.run == RUN) & (spans.c.level == BLOCK_LEVEL)
            blocks = connection.scalar(select(func.count()).where(of_blocks)) or 0
            histories = read_histories(
                connection, RUN, range(WIDTH), Statistic.GRAD_NORM, None, None
            )
            tracks = read_tracks(
                connection, RUN, range(WIDTH), Statistic.GRAD_NORM, Range(), last // 200
            )
    finally:
        store.close()
    for place, history in histories.items():
        assert history.steps.tolist() == list(range(1, last + 1))
        np.testing.assert_array_equal(history.states, states[:, place])
        np.testing.assert_allclose(history.values, norms[:, place], rtol=2**-10)
        newest = slice(-EXACT_SAMPLES, None)
        np.testing.assert_array_equal(history.values[newest], norms[newest, place])
        track = tracks[place]
        starts = np.cumsum(track.sizes) - track.sizes
        finite = np.where(np.isfinite(norms[:, place]), norms[:, place], np.nan)
        greatest = np.fmax.reduceat(finite, starts)
        np.testing.assert_allclose(track.high, greatest, rtol=0.004)
        assert track.sizes.sum() == last
    return blocks


def main() -> None:
    """Kill, and say what there was."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(survive_kills(Path(folder), given.kills, given.seed))


if __name__ == "__main__":
    main()
