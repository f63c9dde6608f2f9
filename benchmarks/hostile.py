"""Send a real server and a real job what nobody should, and say what did not hold.

    python -m benchmarks.hostile [PART …] [--frames N] [--cases N] [--conditions N] [--browsers N]

The parts, all of them where none is named:

- frames: mutants of every frame that a probe or a page sends (`tests/support/hostile_frames.py`).
  Each is taken or refused with a code and a sentence; another run goes on, and the log tells of no
  fault;
- operations: every operation of the OpenAPI document, by schemathesis (the extra `hostile`), as
  whoever has a control, a view and a probe token, and none. No answer is a 500 or undocumented, and
  a refusal has the documented shape;
- conditions: texts given to a real job as conditions of gates. Each is refused in words, or decides
  as Python does, and the weights are bitwise those of the same done by hand;
- patience: peers that never read, and requests and handshakes that never come whole. They are
  dropped, and others are served meanwhile;
- browsers: sockets of pages on one server while a job trains, and how late they hear of a step.

It prints a table of what was tried and what failed, and exits with 1 where anything did.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gradgate.server.protocol.frames import FrameError, decode
from tests.support.assault import Assault
from tests.support.crowd import connected, request, upgrade
from tests.support.hostile_conditions import NAMES, expressions, texts
from tests.support.hostile_frames import mutant_greetings, mutant_watches, mutants
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

JOB = Path(__file__).with_name("hostile_job.py")
SEED = 20261128
EVERY = 100
"""Mutants after which the other run makes a step."""
TOKENS = {
    "control": "control-control-control",
    "view": "view-view-view-view-view",
    "probe": "probe-probe-probe-probe",
}
MIB = 2**20
T = TypeVar("T")


@dataclass
class Tried:
    """A line of the table."""

    what: str
    tried: int
    faults: list[str] = field(default_factory=list)
    seen: str = ""
    seconds: float = 0.0


def main() -> None:
    """Try the parts, and print what came of them."""
    options = _options()
    parts: dict[str, Callable[[argparse.Namespace, Path], Iterator[Tried]]] = {
        "frames": frames,
        "operations": operations,
        "conditions": conditions,
        "patience": patience,
        "browsers": browsers,
    }
    failed = 0
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, seed {SEED}")
    for name in options.parts or parts:
        with tempfile.TemporaryDirectory(prefix="gradgate-") as folder:
            began = time.monotonic()
            for tried in parts[name](options, Path(folder)):
                tried.seconds = time.monotonic() - began
                began = time.monotonic()
                failed += len(tried.faults)
                print(
                    f"{name:10} | {tried.what:44} | {tried.tried:6} tried | "
                    f"{len(tried.faults):3} failed | {tried.seconds:6.1f} s | {tried.seen}",
                    flush=True,
                )
                for fault in tried.faults[:5]:
                    print(f"    {fault[:400]}")
    sys.exit(1 if failed else 0)


def frames(options: argparse.Namespace, folder: Path) -> Iterator[Tried]:
    """Send mutants of frames, of greetings and of what pages say: eight, one and one in ten."""
    with ServerProcess(folder / "data") as server:
        assault = Assault(server)
        kinds: tuple[tuple[str, st.SearchStrategy[Any], Callable[[Any], None], int], ...] = (
            ("frames behind `hello`", mutants(), assault.frame, options.frames * 8 // 10),
            ("`hello`", mutant_greetings("a" * 16), assault.greeting, options.frames // 10),
            ("a page's messages", mutant_watches(), assault.watch, options.frames // 10),
        )
        for what, strategy, send, count in kinds:
            assault.verdicts.clear()
            assault.faults.clear()
            sent = 0

            def one(mutant: Any, send: Callable[[Any], None] = send) -> None:
                nonlocal sent
                send(mutant)
                sent += 1
                if sent % EVERY == 0:
                    assault.go_on()

            _generate(strategy, count, one)
            taken = sum(n for kind, n in assault.verdicts.items() if kind.endswith(" taken"))
            refused = sum(n for kind, n in assault.verdicts.items() if kind.endswith(" refused"))
            grown = (assault.resident - assault.memory) / MIB
            seen = f"{taken} taken, {refused} refused, memory +{grown:.0f} MiB"
            yield Tried(what, sent, [*assault.faults, *assault.log_faults()], seen)
        yield Tried("what is stored of it, read", *_read_back(server, assault))
        assault.close()


def _read_back(server: ServerProcess, assault: Assault) -> tuple[int, list[str], str]:
    """Ask for all that there is of the runs that mutants were sent for."""
    paths = server.get("/openapi.json")["paths"]
    faults, asked = [], 0
    runs = [row["id"] for row in server.get("/api/runs")["runs"]]
    for run in {*assault.runs, *runs[:50]}:
        wanted = [
            path.replace("{run}", run)
            for path, operations in paths.items()
            if "get" in operations and "{run}" in path and "{number}" not in path
        ]
        more = [f"/api/runs/{run}/export?format={each}" for each in ("csv", "html", "parquet")]
        more += [f"/api/runs/{run}/heatmap?stat=grad_norm", f"/runs/{run}"]
        for path in (*wanted, *more):
            asked += 1
            answer = server.page(path)
            if answer.status_code >= 500:
                faults.append(f"GET {path}: {answer.status_code} {answer.text[:200]}")
    return asked, [*faults, *assault.log_faults()], f"{len(runs)} runs"


def operations(options: argparse.Namespace, folder: Path) -> Iterator[Tried]:
    """Call every operation, each with so many cases of right and of wrong arguments."""
    import schemathesis  # which nothing but this part needs
    from schemathesis import GenerationMode

    tokens = folder / "tokens"
    tokens.write_text("".join(f"{name} {name} {token}\n" for name, token in TOKENS.items()))
    tokens.chmod(0o600)
    with (
        ServerProcess(folder / "data", "--token-file", str(tokens)) as server,
        _answering(server) as run,
    ):
        control = {"Authorization": f"Bearer {TOKENS['control']}"}
        modes: tuple[Any, ...] = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        schema: Any = schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=control)
        for caller in ("control", "view", "probe", None):
            headers = {"Authorization": f"Bearer {TOKENS[caller]}"} if caller else {}
            with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
                calls = Calls(client, run)
                for found in schema.get_all_operations():
                    operation = found.ok()
                    for mode in modes:
                        # Of an operation without arguments there is nothing wrong.
                        with suppress(Unsatisfiable):
                            strategy = operation.as_strategy(generation_mode=mode)
                            _generate(strategy, options.cases, partial(calls.call, operation))
            log = [line for line in server.output.splitlines() if line.startswith("ERROR")]
            seen = ", ".join(f"{n} × {status}" for status, n in sorted(calls.statuses.items()))
            tried = sum(calls.statuses.values())
            yield Tried(f"as {caller or 'nobody'}", tried, calls.faults + log, seen)


class Calls:
    """Calls of one caller, and what came of them."""

    def __init__(self, client: httpx.Client, run: str) -> None:
        """`run` is one that there is, which three in four are about."""
        self._client = client
        self._run = run
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []

    def call(self, operation: Any, case: Any) -> None:
        """Call an operation."""
        if "run" in (case.path_parameters or {}) and sum(self.statuses.values()) % 4:
            case.path_parameters["run"] = self._run
        try:
            answer = _called(self._client, case)
        except httpx.HTTPError as error:
            self.faults.append(f"{case.method} {case.formatted_path}: {error!r}")
            return
        self.statuses[answer.status_code] += 1
        if fault := _answer_fault(operation, answer):
            self.faults.append(f"{case.method} {answer.request.url}: {fault}")


def _called(client: httpx.Client, case: Any) -> httpx.Response:
    """Send a case, as far as HTTP can have it."""
    given = case.as_transport_kwargs(base_url=str(client.base_url))
    sent = {name: given[name] for name in ("params", "json", "headers", "data") if given.get(name)}
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    headers = {**dict(sent.pop("headers", {}) or {}), **dict(client.headers)}
    return client.request(case.method, given["url"], headers=headers, **sent)


def _answer_fault(operation: Any, answer: httpx.Response) -> str | None:
    """Return what is wrong with an answer by the document."""
    documented = operation.definition.raw["responses"]
    status = answer.status_code
    if status == 500:
        return f"500 {answer.text[:200]}"
    if str(status) not in documented and status != 405:
        return f"{status} is not documented: {answer.text[:200]}"
    if status < 400 or str(answer.request.url.path) == "/healthz":
        return None
    detail = answer.json().get("detail")
    if isinstance(detail, str) and detail.strip():
        return None
    if isinstance(detail, list) and all({"loc", "msg", "type"} <= set(each) for each in detail):
        return None
    return f"{status} says {answer.text[:200]}"


@contextmanager
def _answering(server: ServerProcess) -> Iterator[str]:
    """Have a job connected that answers what it is asked."""
    run = "a" * 16
    headers = {"Authorization": f"Bearer {TOKENS['probe']}"}
    with FakeProbe(server, hello(run), additional_headers=headers) as probe:
        probe.sample(1, [0.5, 0.25])
        ended = threading.Event()

        def answer() -> None:
            with suppress(ConnectionClosed):
                while not ended.is_set():
                    with suppress(TimeoutError):
                        question = probe.until_question()
                        if question["type"] == "trial":
                            probe.answer_trial(question)
                        else:
                            probe.answer(question)
                    probe.heartbeat()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield run
        ended.set()
        probe.close()
        thread.join(30)


def conditions(options: argparse.Namespace, folder: Path) -> Iterator[Tried]:
    """Give a job texts as conditions, half of them good."""
    import torch  # the other parts need none

    from tests.support.condition_job import play, slowdown

    torch.set_num_threads(1)
    given_texts: list[str] = []
    _generate(st.one_of(texts, expressions), options.conditions, given_texts.append)
    found = play(given_texts, frozenset(NAMES))
    longest = max(found.gated)
    seen = (
        f"{found.made} made, {found.refused} refused, {found.decisions} decisions, "
        f"{found.closed} of them closed; a step took {slowdown(found):.2f} of one without gates, "
        f"the longest {1000 * longest:.0f} ms"
    )
    yield Tried("conditions at a job's parameters", len(given_texts), found.faults, seen)


def patience(options: argparse.Namespace, folder: Path) -> Iterator[Tried]:
    """Open many connections that do not do their part, and wait until they are dropped."""
    run = "a" * 16
    names = [f"layer{number}.weight" for number in range(2000)]
    json_of = ("Content-Type: application/json", "Content-Length: 1000")
    with ServerProcess(folder / "data") as server, FakeProbe(server, hello(run, names)) as probe:
        url, process = server.url, psutil.Process(server.pid)
        commands = f"/api/runs/{run}/commands"
        for what, sent in (
            ("connections that say nothing", b""),
            ("half a head", request(url, "/api/runs")),
            ("half a body", request(url, commands, *json_of, method="POST") + b"\r\n{"),
            ("half a handshake", upgrade(url, f"/api/runs/{run}/live")[:-2]),
            ("an answer that is not read", request(url, f"/api/runs/{run}/parameters") + b"\r\n"),
            ("a page that does not read", upgrade(url, f"/api/runs/{run}/live")),
        ):
            before = process.memory_info().rss
            began = time.monotonic()
            faults: list[str] = []
            slowest, largest, seq = 0.0, 0, probe.acked
            with closing(connected(url, options.peers, sent)) as peers:
                opened = len(peers.open)
                while peers.gone() < opened and time.monotonic() - began < 120:
                    seq += 1
                    probe.sample(seq, [float(seq)] * len(names))
                    probe.until_acked(seq)
                    asked = time.monotonic()
                    if server.page("/api/runs").status_code != 200:
                        faults.append("GET /api/runs was not answered meanwhile")
                    slowest = max(slowest, time.monotonic() - asked)
                    largest = max(largest, process.memory_info().rss - before)
                took = time.monotonic() - began
                if peers.gone() < opened:
                    faults.append(
                        f"{opened - peers.gone()} of {opened} are there after {took:.0f} s"
                    )
            seen = (
                f"all dropped within {took:.0f} s, memory +{largest / MIB:.0f} MiB at most, "
                f"another's request took {1000 * slowest:.0f} ms at most"
            )
            yield Tried(what, opened, faults, seen)


def browsers(options: argparse.Namespace, folder: Path) -> Iterator[Tried]:
    """Let so many pages watch a job that trains, beside none."""
    with ServerProcess(folder / "data") as server:
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        alone, _, _ = asyncio.run(_watched(server, 0, options.steps))
        yield Tried("steps with no page", len(alone), [], f"{_milliseconds(alone)} ms a step")
        faults: list[str] = []
        steps, late, there = asyncio.run(_watched(server, options.browsers, options.steps))
        if there < options.browsers:
            faults.append(f"{options.browsers - there} of the pages were closed")
        if not late:
            faults.append("no page heard of any step")
            late = [0.0]
        late.sort()
        grown = (process.memory_info().rss - before) / MIB
        seen = (
            f"{_milliseconds(steps)} ms a step, memory +{grown:.0f} MiB, pages hear of a step "
            f"after {statistics.median(late):.2f} s (95 %: {late[len(late) * 95 // 100]:.2f}, "
            f"worst {late[-1]:.2f})"
        )
        yield Tried("pages that watch a job", options.browsers, faults, seen)


async def _watched(
    server: ServerProcess, pages: int, steps: int
) -> tuple[list[float], list[float], int]:
    """Return the seconds of a job's steps, how late pages heard of them, and how many stayed."""
    command = [sys.executable, str(JOB), "--server", server.url, "--steps", str(steps)]
    job = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    run = job.stdout.readline().strip()
    late: list[float] = []
    opened = [asyncio.Event() for _ in range(pages)]
    watching = [asyncio.create_task(_page(server, run, each, late)) for each in opened]
    for each in opened:
        await each.wait()
    late.clear()
    output, _ = await asyncio.to_thread(job.communicate, "go\n")
    there = sum(not each.done() for each in watching)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return [float(line) for line in output.splitlines()], late, there


async def _page(server: ServerProcess, run: str, opened: asyncio.Event, late: list[float]) -> None:
    """Watch a run until it is enough, and tell how late each sample came."""
    address = f"{server.ws_url}/api/runs/{run}/live"
    try:
        async with connect(address, compression=None, max_size=None, open_timeout=60) as socket:
            await socket.send('{"type": "watch", "interval": 0.25}')
            opened.set()
            async for message in socket:
                if isinstance(message, bytes):
                    with suppress(FrameError):
                        late.append(time.time() - decode(message).time)
    except (OSError, ConnectionClosed):
        opened.set()


def _milliseconds(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f}"


def _generate(strategy: st.SearchStrategy[T], count: int, use: Callable[[T], None]) -> None:
    """Give so many values of a strategy to a function, the same each time."""

    def each(value: T) -> None:
        use(value)

    settled = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(SEED)(settled(given(strategy)(each)))()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--cases", type=int, default=30, help="of each operation, kind and caller")
    parser.add_argument("--conditions", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=300)
    parser.add_argument("--browsers", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    main()
