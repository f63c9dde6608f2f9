"""What the `hello` of a large model costs a server, and how long everybody else waits for it.

A real server takes the table of a new run, its digest at a reconnect, the same after the server was
started anew, and then a table that is frozen throughout. At last a job of an earlier version tells
the table row by row. Meanwhile another run logs metrics, each once the last is acknowledged, and
`/healthz` is asked all the time. The figures are the time to `welcome`, the processor time of the
server from before the `hello` until then, and the longest wait of the two others.

Usage: python benchmarks/hello_cost.py [--parameters N]
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from histories import greeting
from servers import processor_time, served
from websockets.sync.client import ClientConnection, connect


def main() -> None:
    """Say hello in each way, and print what each took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parameters", type=int, default=100_000)
    given = options.parse_args()
    made = greeting(secrets.token_hex(8), given.parameters)
    rows = made.model_dump(exclude={"columns", "digest"})
    brief = {**rows, "protocol": 2, "digest": "0" * 64}
    del brief["parameters"]
    columns = made.table.as_columns()
    frozen = {**columns, "kinds": [{**kind, "requires_grad": False} for kind in columns["kinds"]]}
    with tempfile.TemporaryDirectory() as folder:
        with served(Path(folder)) as (process, url):
            measure("new run", {**brief, "columns": columns}, process, url)
            measure("reconnect, same table", brief, process, url)
        with served(Path(folder)) as (process, url):
            measure("reconnect to a server started anew", brief, process, url)
            said = {**brief, "columns": frozen, "digest": "1" * 64}
            measure("another table, all of it", said, process, url)
            measure("new run, row by row", {**rows, "run": secrets.token_hex(8)}, process, url)


def measure(name: str, said: dict[str, Any], process: int, url: str) -> None:
    """Say hello once, and print what it took and how long others waited."""
    text = json.dumps(said)
    with waiting(health(url)) as asked, waiting(metrics(url)) as logged:
        # Both have had their first answer, which takes a new connection.
        while not (asked and logged):
            time.sleep(0.01)
        asked.clear()
        logged.clear()
        begun, at = processor_time(process), time.perf_counter()
        with _probe(url, text):
            took = time.perf_counter() - at
            used = processor_time(process) - begun
    print(
        f"{name}: {len(text) / 1e6:.1f} MB, welcome after {took:.2f} s, processor {used:.2f} s, "
        f"/healthz waited {max(asked, default=0):.2f} s, "
        f"another run's acknowledgement {max(logged, default=0):.2f} s",
        flush=True,
    )


@contextmanager
def waiting(steps: Iterator[None]) -> Iterator[list[float]]:
    """Take steps in a thread as long as the context lasts; yields how long each took."""
    took: list[float] = []
    ended = threading.Event()

    def work() -> None:
        at = time.perf_counter()
        for _ in steps:
            took.append(time.perf_counter() - at)
            if ended.wait(0.02):
                return
            at = time.perf_counter()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def health(url: str) -> Iterator[None]:
    """Ask for the server's health in each step."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        while True:
            client.get(f"{url}/healthz")
            yield


def metrics(url: str) -> Iterator[None]:
    """Have a metric of a small run stored in each step."""
    small = greeting(secrets.token_hex(8), 1).model_dump_json()
    with _probe(url, small) as socket:
        for seq in count(1):
            frame = {"type": "metrics", "seq": seq, "step": seq, "time": 1.0, "values": {"a": 1.0}}
            socket.send(json.dumps(frame))
            while json.loads(socket.recv(60)).get("seq", 0) < seq:
                pass
            yield


@contextmanager
def _probe(url: str, hello: str) -> Iterator[ClientConnection]:
    """Connect as a job, and be welcomed."""
    address = "ws" + url.removeprefix("http") + "/api/ingest"
    with ExitStack() as stack:
        socket = stack.enter_context(connect(address, max_size=None, compression=None))
        socket.send(hello)
        answer: dict[str, Any] = json.loads(socket.recv(120))
        assert answer["type"] == "welcome", answer
        yield socket


if __name__ == "__main__":
    main()
