"""What a page of 10,000 parameters costs: bytes on the wire, and the server's CPU time.

Run it with an installed Gradgate: ``python benchmarks/page_traffic.py``.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from urllib.request import Request, urlopen

import numpy as np
import psutil
from dashboard import Dashboard, dashboard
from websockets.sync.client import ClientConnection, connect

from gradgate.server.protocol.columns import MEDIA_TYPE
from gradgate.server.protocol.frames import Sample, encode
from gradgate.server.web.assets import STATIC

RUN = "a" * 16
PARTS = (
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    "post_attention_layernorm.bias",
)
STORED = 100
EVERY_LOOK = 64
"""Of so many parameters one has its movement measured in each sample."""
FORMS = {"JSON": "application/json", "columns": MEDIA_TYPE}
ENCODINGS = ("identity", "gzip", "br", "zstd")
WATCHES: dict[str, dict[str, object] | None] = {
    "one that says nothing": None,
    "one that is looked at": {"statistics": ["update_ratio", "weight_norm"], "interval": 0.25},
    "a hidden tab": {"topics": []},
}


class Job:
    """Plays a probe: norms spread over decades, each with its own noise."""

    def __init__(self, socket: ClientConnection, parameters: int) -> None:
        self._random = np.random.default_rng(0)
        self._scale = self._random.normal(-4, 2, parameters)
        self._seq = count(1)
        self._socket = socket
        self._socket.send(json.dumps(_hello(parameters)))
        self._socket.recv()

    def sample(self) -> int:
        """Send one sample, and return its number."""
        seq, width = next(self._seq), len(self._scale)
        norms = (10 ** (self._scale + self._random.normal(0, 0.1, width))).astype(np.float32)
        moved = np.full(width, np.nan, np.float32)
        moved[seq % EVERY_LOOK :: EVERY_LOOK] = 1e-3
        states = np.ones(width, np.uint8)
        values = {1: norms, 3: moved, 4: 1000 * moved}
        self._socket.send(encode(Sample(seq, seq, time.time(), False, states, values)))
        return seq

    def log(self, loss: float) -> None:
        """Send a metric of the latest sample."""
        seq = next(self._seq)
        frame = {"type": "metrics", "seq": seq, "step": seq - 1, "time": time.time()}
        self._socket.send(json.dumps(frame | {"values": {"loss": loss}}))

    def wait_until_stored(self, seq: int) -> None:
        """Wait for the acknowledgement of a sample."""
        while json.loads(self._socket.recv())["seq"] < seq:
            pass

    def read(self) -> None:
        """Read what the server says until it ends the connection."""
        for _ in self._socket:
            pass

    @contextmanager
    def training(self, rate: float) -> Iterator[None]:
        """Send samples, so many a second, as long as the context lasts."""
        ended = threading.Event()

        def train() -> None:
            while not ended.wait(1 / rate):
                self.sample()

        threading.Thread(target=self.read, daemon=True).start()
        thread = threading.Thread(target=train)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _hello(parameters: int) -> dict[str, object]:
    names = [f"model.layers.{i // len(PARTS)}.{PARTS[i % len(PARTS)]}" for i in range(parameters)]
    return {
        "type": "hello",
        "protocol": 1,
        "run": RUN,
        "name": "traffic",
        "started": time.time(),
        "host": "benchmark",
        "pid": 1,
        "probe_version": "0",
        "torch_version": "0",
        "figures": "",
        "step": 0,
        "frozen": [],
        "parameters": [
            {
                "names": [name],
                "module": name.rpartition(".")[0],
                "shape": [4096, 4096],
                "numel": 4096 * 4096,
                "dtype": "torch.bfloat16",
                "device": "cuda:0",
                "in_optimizer": True,
                "requires_grad": True,
            }
            for name in names
        ],
    }


def fetch(url: str, **headers: str) -> bytes:
    """Return the body of an answer as it came over the wire."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urlopen(Request(url, headers=named)) as answer:
        body: bytes = answer.read()
    return body


def answers(server: Dashboard, rounds: int) -> None:
    """Print what the table and the sparklines cost, in each form and encoding."""
    print("| | | bytes | server's CPU |\n|---|---|---|---|")
    for path in ("parameters", "sparklines?points=60"):
        for form, accept in FORMS.items():
            for encoding in ENCODINGS:
                url = f"{server.url}/api/runs/{RUN}/{path}"
                size = len(fetch(url, Accept=accept, Accept_Encoding=encoding))
                before = cpu(server)
                for _ in range(rounds):
                    fetch(url, Accept=accept, Accept_Encoding=encoding)
                took = (cpu(server) - before) / rounds
                words = f"{path.partition('?')[0]}, {form}"
                print(f"| {words} | {encoding} | {size:,} | {took * 1e3:.0f} ms |", flush=True)


def static(server: Dashboard) -> None:
    """Print what the files of the page are, on the first visit; on the next none is asked for."""
    found = [each for each in STATIC.rglob("*") if each.suffix in (".js", ".css", ".svg")]
    names = [each.relative_to(STATIC).as_posix() for each in found]
    urls = [f"{server.url}/static/any/{name}" for name in names]
    print("\n| the page's files, at the first visit | bytes |\n|---|---|")
    for encoding in ENCODINGS:
        sizes = [len(fetch(url, Accept_Encoding=encoding)) for url in urls]
        print(f"| {len(sizes)} files, {encoding} | {sum(sizes):,} |")


def live(server: Dashboard, job: Job, rate: float, seconds: float) -> None:
    """Print what the live socket sends, by what the page says that it shows."""
    print("\n| a page | bytes a second |\n|---|---|")
    with job.training(rate):
        for words, watch in WATCHES.items():
            with connect(f"{server.ws_url}/api/runs/{RUN}/live", max_size=None) as socket:
                if watch is not None:
                    socket.send(json.dumps({"type": "watch", **watch}))
                print(f"| {words} | {received(socket, seconds) / seconds:,.0f} |", flush=True)


def received(socket: ClientConnection, seconds: float) -> int:
    """Return how many bytes come in so many seconds."""
    end, size = time.monotonic() + seconds, 0
    with suppress(TimeoutError):
        while (left := end - time.monotonic()) > 0:
            size += len(socket.recv(left))
    return size


def cpu(server: Dashboard) -> float:
    """Return the seconds that the server's process has worked."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10, help="requests for each figure")
    parser.add_argument("--rate", type=float, default=10, help="samples a second")
    parser.add_argument("--seconds", type=float, default=20, help="for each kind of page")
    chosen = parser.parse_args()
    with dashboard() as server, connect(f"{server.ws_url}/api/ingest") as socket:
        job = Job(socket, chosen.parameters)
        for _ in range(STORED):
            last = job.sample()
        job.wait_until_stored(last)
        answers(server, chosen.rounds)
        static(server)
        live(server, job, chosen.rate, chosen.seconds)


if __name__ == "__main__":
    main()
