"""A real job whose network fails: it trains on, and what it did is stored and applied once."""

from __future__ import annotations

import json
import random
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.support.proxying import Proxy
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for, wait_until

PATIENCE = 2.0
"""Seconds that the jobs here wait for a word of the server."""
TARGETS = ("encoder.0.weight", "head.bias")

Fault = Callable[[Proxy, TrainingJob], None]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all."""
    with ServerProcess(tmp_path_factory.mktemp("network") / "data") as process:
        yield process


@pytest.fixture
def proxy(serving: ServerProcess) -> Iterator[Proxy]:
    """What stands between the server and the job of one test."""
    with Proxy(serving.port) as between:
        yield between


@pytest.fixture
def job(proxy: Proxy, tmp_path: Path) -> Iterator[TrainingJob]:
    """A job past its tenth step."""
    with TrainingJob(tmp_path / "job", proxy.url, "--patience", str(PATIENCE)) as training:
        training.wait_for_step(10)
        yield training


class Ledger:
    """What was asked of a job, which is compared with what it did and with what is stored."""

    def __init__(self, server: ServerProcess, job: TrainingJob) -> None:
        self._server = server
        self._job = job
        self._asked: list[str] = []

    def ask(self, kind: str, target: str) -> str:
        """Ask for a freeze or a thaw, of the server itself; return the command's path."""
        path = f"/api/runs/{self._job.run}/commands"
        answer = self._server.post(path, {"kind": kind, "target": target})
        assert answer.status_code == 202, answer.text
        self._asked.append(f"{path}/{answer.json()['id']}")
        return self._asked[-1]

    def check(self) -> None:
        """End the job; each step is stored once, and each command was applied once."""
        rows = [self._reached(path) for path in self._asked]
        assert self._job.stop() == 0, self._job.output
        for target in TARGETS:
            frozen = [target in names for names in self._job.frozen()]
            changes = [
                (step, "freeze" if after else "thaw")
                for step, (before, after) in enumerate(pairwise([False, *frozen]), 1)
                if before is not after
            ]
            told, state = [], "thaw"
            for row in rows:
                if row["target"] == target and row["state"] == "verified" and row["kind"] != state:
                    state = row["kind"]
                    told.append((row["step"], state))
            assert changes == told
        run = f"/api/runs/{self._job.run}"
        ended = wait_until(
            lambda: self._server.get(run), lambda row: row["status"] == "finished", 30, "finished"
        )
        assert ended["samples"] == self._job.step
        table = self._server.page(f"{run}/export", params={"format": "csv", "table": "samples"})
        steps = {int(line.split(",")[0]) for line in table.text.splitlines()[1:]}
        assert steps == set(range(1, self._job.step + 1))
        commands = self._server.get(f"{run}/commands")["commands"]
        assert [row["id"] for row in commands] == [row["id"] for row in reversed(rows)]

    def _reached(self, path: str) -> Any:
        # Of two that came at once the earlier may be superseded: then it changed nothing.
        return wait_until(
            lambda: self._server.get(path),
            lambda row: row["state"] in ("verified", "superseded"),
            60,
            path,
        )


@pytest.fixture
def ledger(serving: ServerProcess, job: TrainingJob) -> Ledger:
    """The ledger of the job, which the server knows."""
    job.wait_until_known(serving)
    return Ledger(serving, job)


def slow(proxy: Proxy, job: TrainingJob) -> None:
    """Slower than what is measured, so that a hello takes longer than the job is patient."""
    proxy.reset()
    proxy.slow(400)


def stalled(proxy: Proxy, job: TrainingJob) -> None:
    proxy.stall()


def server_gone(proxy: Proxy, job: TrainingJob) -> None:
    proxy.lose_server()


def job_gone(proxy: Proxy, job: TrainingJob) -> None:
    proxy.lose_job()


def reset(proxy: Proxy, job: TrainingJob) -> None:
    proxy.refuse()
    proxy.reset()


def cut(proxy: Proxy, job: TrainingJob) -> None:
    """In the midst of frames: of one, and of the ones that come again, in other places."""
    for count in (1, 7, 100, 333):
        made = proxy.accepted
        proxy.cut_after(count)
        wait_for(lambda made=made: proxy.accepted > made and proxy.lines, 30, "there is another")  # type: ignore[misc]


def late(proxy: Proxy, job: TrainingJob) -> None:
    """The frames of an older connection come behind those of a newer."""
    made = proxy.accepted
    proxy.hold_back()
    wait_for(lambda: proxy.accepted > made, 30, "the job has another connection")
    job.wait_for_more(20)
    proxy.deliver_late()


def late_hello(proxy: Proxy, job: TrainingJob) -> None:
    """An older connection says hello behind a newer."""
    made = proxy.accepted
    proxy.hold_hello_back()
    proxy.reset()
    wait_for(lambda: proxy.accepted > made + 1, 30, "the job has another connection")
    job.wait_for_more(20)
    proxy.deliver_late()


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize(
    "fault", [slow, stalled, server_gone, job_gone, reset, cut, late, late_hello]
)
def test_a_network_fault_loses_and_doubles_nothing(
    fault: Fault, proxy: Proxy, job: TrainingJob, ledger: Ledger
) -> None:
    """Commands asked before, in the midst of it and later are each applied at one step."""
    ledger.ask("freeze", TARGETS[0])
    fault(proxy, job)
    ledger.ask("freeze", TARGETS[1])
    job.wait_for_more(40)
    proxy.slow(None)
    proxy.refuse(False)
    proxy.flow()
    ledger.ask("thaw", TARGETS[0])
    ledger.check()


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something that listens, and is no server of Gradgate's; yields its port."""

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.recv(65536)
                talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=listen)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def saying(frames: deque[str | bytes]) -> Iterator[int]:
    """A WebSocket server that welcomes a job and says these, one after the other."""

    def talk(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            run = json.loads(connection.recv())["run"]
            welcome = {"type": "welcome", "protocol": 1, "run": run, "last_seq": 0}
            connection.send(json.dumps(welcome))
            while len(frames) > 1:
                connection.send(frames.popleft())
                connection.recv()

    with serve(talk, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: c29tZXRoaW5nIGVsc2U=\r\n\r\n"
)
HTTP = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
ANSWERS = (
    HTTP % (b"500 Internal Server Error", b""),
    HTTP % (b"302 Found", b"nowhere://at all"),
    HTTP % (b"301 Moved", b"http://127.0.0.1:9/"),
    HTTP % (b"200 OK", b""),
    random.Random(0).randbytes(5000),
    b"",
    SWITCHED,
    b"HTTP/1.1 101 " + b"x" * 100_000,
    b"the last, which need not be heard",
)
"""What is answered to a handshake."""
FRAMES: tuple[str | bytes, ...] = (
    '{"type":"ack","seq":1000000000}',
    '{"type":"ack","seq":-5}',
    '{"type":"ack","seq":"7"}',
    '{"type":"ack","seq":1e999}',
    '{"type":"command","id":{},"kind":"freeze"}',
    '{"type":"command","id":-7,"kind":"nothing","target":"*"}',
    '{"type":"preview","request":1,"kind":"freeze","target":{"a":1}}',
    '{"type":"trial","request":1,"site":"param:*","when":{},"hold":"x","history":null}',
    '{"type":"trial","request":1,"site":"param:*","history":{"steps":[1],"values":{"norm":1}}}',
    '{"type":"focus","parameters":["a",null],"seconds":"long"}',
    '{"type":"focus","parameters":[999999,-3],"seconds":1e999}',
    '{"type":"welcome","protocol":1,"run":"0","last_seq":3}',
    "\0",
    b"\xff\xfe\xfd",
    "[" * 50_000,
    "the last, which need not be heard",
)
"""What is said to a job."""


def test_nonsense_costs_nothing(
    proxy: Proxy, job: TrainingJob, ledger: Ledger, serving: ServerProcess
) -> None:
    """Whatever answers in the server's place, all is there once the server itself does."""
    ledger.ask("freeze", TARGETS[0])
    answers = deque(ANSWERS)
    frames = deque(FRAMES)
    proxy.refuse()
    proxy.reset()
    ledger.ask("freeze", TARGETS[1])
    with answering(lambda connection: connection.sendall(answers.popleft())) as proxy.target:
        proxy.refuse(False)
        wait_for(lambda: len(answers) <= 1, 60, "it heard every answer")
        proxy.refuse()
    with saying(frames) as proxy.target:
        proxy.refuse(False)
        wait_for(lambda: len(frames) <= 1, 60, "it heard every frame")
        proxy.refuse()
        proxy.reset()
    job.wait_for_more(20)
    proxy.target = serving.port
    proxy.refuse(False)
    ledger.ask("thaw", TARGETS[0])
    ledger.check()
