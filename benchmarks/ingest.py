"""How fast samples are stored, with the store's levels and without them.

Two real servers, of which one merges nothing, take the same made-up samples in turn
(`benchmarks/histories.py`), in bundles over the wire, as fast as they acknowledge them. The figure
of a round is the time from the first bundle to the last acknowledgement; ratios are those of a
round, so that what else the machine does weighs on both.

Usage: python benchmarks/ingest.py [--parameters N ...] [--values N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from histories import greeting, made_up
from servers import processor_time, served
from websockets.sync.client import connect

from gradgate.server.protocol.frames import encode

BUNDLE_BYTES = 1 << 20
AHEAD = 32 << 20
"""Bytes that are sent before they are acknowledged, about."""
WITHOUT = """
from gradgate.server.store.levels.compactor import Compactor
Compactor._run = lambda self: None
"""


def main() -> None:
    """Let each server take each run, and print values a second and their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, nargs="+", default=[1000, 10_000])
    options.add_argument("--values", type=int, default=20_000_000, help="in each round")
    options.add_argument("--rounds", type=int, default=6)
    given = options.parse_args()
    for parameters in given.parameters:
        bundles = packed(given.values // parameters, parameters)
        sent = given.values // parameters * parameters
        rates: dict[str, list[float]] = {"with": [], "without": []}
        spent: dict[str, list[float]] = {"with": [], "without": []}
        with ExitStack() as stack:
            servers = {
                name: stack.enter_context(
                    served(Path(stack.enter_context(tempfile.TemporaryDirectory())), before)
                )
                for name, before in (("with", ""), ("without", WITHOUT))
            }
            for turn in range(given.rounds):
                for name in sorted(servers, reverse=turn % 2 == 1):
                    process, url = servers[name]
                    begun = processor_time(process)
                    rates[name].append(sent / store(url, parameters, bundles))
                    spent[name].append(processor_time(process) - begun)
        ratios = [a / b for a, b in zip(rates["with"], rates["without"], strict=True)]
        print(
            f"{parameters} parameters: with levels {statistics.median(rates['with']) / 1e6:.2f} M "
            f"values/s, without {statistics.median(rates['without']) / 1e6:.2f} M, ratio "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f}…{max(ratios):.3f}); server's "
            f"processor {statistics.median(spent['with']):.2f} s, without "
            f"{statistics.median(spent['without']):.2f} s",
            flush=True,
        )


def packed(samples: int, parameters: int) -> list[tuple[int, bytes]]:
    """Return bundles of made-up samples, each with the number of its last."""
    found = []
    waiting: list[bytes] = []
    for sample in made_up(samples, parameters):
        waiting.append(encode(sample))
        if sum(map(len, waiting)) >= BUNDLE_BYTES or sample.seq == samples or len(waiting) == 1000:
            lengths = b"".join(len(frame).to_bytes(4, "little") for frame in waiting)
            head = b"GG" + bytes([1, 2]) + len(waiting).to_bytes(4, "little")
            found.append((sample.seq, b"".join([head, lengths, *waiting])))
            waiting = []
    return found


def store(url: str, parameters: int, bundles: list[tuple[int, bytes]]) -> float:
    """Send a run, and return the seconds until all of it was acknowledged."""
    hello = greeting(secrets.token_hex(8), parameters).model_dump(mode="json")
    with connect(
        "ws" + url.removeprefix("http") + "/api/ingest", max_size=None, compression=None
    ) as socket:
        socket.send(json.dumps(hello))
        json.loads(socket.recv())
        begun = time.perf_counter()
        acknowledged, ahead, waiting = 0, 0, []
        for last, bundle in bundles:
            socket.send(bundle)
            waiting.append((last, len(bundle)))
            ahead += len(bundle)
            while ahead > AHEAD:
                acknowledged = _acknowledged(socket.recv(), acknowledged)
                while waiting and waiting[0][0] <= acknowledged:
                    ahead -= waiting.pop(0)[1]
        while acknowledged < bundles[-1][0]:
            acknowledged = _acknowledged(socket.recv(), acknowledged)
        return time.perf_counter() - begun


def _acknowledged(message: str | bytes, before: int) -> int:
    told = json.loads(message)
    return int(told["seq"]) if told["type"] == "ack" else before


if __name__ == "__main__":
    main()
