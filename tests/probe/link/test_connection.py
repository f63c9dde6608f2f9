"""The connection to a server that refuses, speaks another version, or asks for a token."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest
import torch
from torch import nn
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from gradgate import probe
from gradgate.probe.link import backoff, connection
from gradgate.probe.link.backoff import FIRST_PAUSE, GROWTH, Backoff
from gradgate.probe.link.frames import encode_json
from gradgate.probe.session.run import job_of
from gradgate.server.protocol.bundle import unbundle
from gradgate.server.protocol.frames import decode
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for, wait_until


@contextmanager
def other_server(talk: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A real WebSocket server that is not Gradgate's; yields its address."""
    with serve(talk, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def attached(url: str, **options: Any) -> tuple[probe.Run, Callable[[], None]]:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=url, every=1, **options)

    def step() -> None:
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    return run, step


def test_a_server_of_another_version_is_named_as_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The probe says which versions meet and what to upgrade, and the job trains on."""

    def talk(socket: ServerConnection) -> None:
        run = json.loads(socket.recv())["run"]
        socket.send(json.dumps({"type": "welcome", "protocol": 3, "run": run, "last_seq": 0}))

    with other_server(talk) as url, caplog.at_level(logging.WARNING, "gradgate"):
        run, step = attached(url)
        with run:
            wait_for(lambda: "speaks protocol 3, this probe 2" in caplog.text)
            step()
            assert "pip install --upgrade ." in caplog.text
            assert run.parameters()[0].state == "present"


@pytest.mark.parametrize("listens", [True, False])
def test_a_refusal_is_passed_on_in_the_servers_words(
    listens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What the server gives as its reason is in the job's log, once, before or after `hello`."""

    def talk(socket: ServerConnection) -> None:
        if listens:
            socket.recv()
        socket.send(json.dumps({"type": "error", "message": "Too many runs.", "retry": True}))

    with other_server(talk) as url, caplog.at_level(logging.WARNING, "gradgate"):
        run, step = attached(url)
        with run:
            wait_for(lambda: "refused: Too many runs." in caplog.text)
            step()
    said = [each.getMessage() for each in caplog.records if each.name == "gradgate"]
    assert ["refused: Too many runs." in each for each in said].count(True) == 1


def longest(_: float, high: float) -> float:
    """Draw the longest pause that there may be."""
    return high


@pytest.mark.parametrize("refuses", [True, False])
def test_pauses_between_tries_grow(refuses: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not take the run is asked less and less often, not ten times a second."""
    monkeypatch.setattr(connection, "Backoff", partial(Backoff, longest))
    tries: list[float] = []
    enough = Event()

    def talk(socket: ServerConnection) -> None:
        tries.append(time.monotonic())
        if len(tries) > 5:
            enough.set()
        if refuses:
            socket.send(json.dumps({"type": "error", "message": "Full.", "retry": True}))
        else:
            socket.close()

    with other_server(talk) as url:
        run, _ = attached(url)
        with run:
            assert enough.wait(60)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    for number, pause in enumerate(pauses[:5]):
        assert pause >= 0.99 * FIRST_PAUSE * GROWTH**number


def test_a_run_that_ends_in_mid_goodbye_leaves_no_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that refuses and then answers no more costs the job no socket for its life."""
    tries: list[float] = []
    closing, over = Event(), Event()
    close = ClientConnection.close

    async def told(socket: ClientConnection, *arguments: Any) -> None:
        if len(tries) == 2:
            closing.set()
        await close(socket, *arguments)

    def talk(socket: ServerConnection) -> None:
        tries.append(time.monotonic())
        socket.send(json.dumps({"type": "error", "message": "Too many runs.", "retry": True}))
        if len(tries) == 2:
            with socket.protocol_mutex:  # nothing that arrives is looked at, a goodbye neither
                over.wait(60)

    monkeypatch.setattr(ClientConnection, "close", told)
    with other_server(talk) as url:
        run, _ = attached(url)
        with run:
            assert closing.wait(60)
        ends = [end.raddr for end in psutil.Process().net_connections("tcp") if end.raddr]
        over.set()
    assert int(url.rpartition(":")[2]) not in {end.port for end in ends}


def test_a_server_that_refuses_for_good_is_left_alone_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trying again at once would not help; half a minute later somebody may have upgraded it."""
    assert backoff.REFUSED_PAUSE == 30
    monkeypatch.setattr(backoff, "REFUSED_PAUSE", 1.5)
    tries: list[float] = []
    enough = Event()

    def talk(socket: ServerConnection) -> None:
        tries.append(time.monotonic())
        if len(tries) == 2:
            enough.set()
        socket.send(json.dumps({"type": "error", "message": "Too old.", "retry": False}))

    with other_server(talk) as url:
        run, _ = attached(url)
        with run:
            assert enough.wait(60)
    assert tries[1] - tries[0] >= 1.5


@pytest.mark.parametrize("holds", [True, False], ids=["holds", "breaks"])
def test_pauses_begin_anew_once_a_connection_has_held(
    holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that broke is made again at once, but not one that breaks as soon as it is welcomed."""
    monkeypatch.setattr(connection, "Backoff", partial(Backoff, longest))
    tries: list[float] = []
    broken: list[float] = []
    enough = Event()

    def talk(socket: ServerConnection) -> None:
        tries.append(time.monotonic())
        if len(tries) == 5:
            run = json.loads(socket.recv())["run"]
            welcome = {"type": "welcome", "protocol": 1, "run": run, "last_seq": 0}
            socket.send(json.dumps(welcome))
            while holds and time.monotonic() - tries[-1] < 1.0:
                socket.recv()
            broken.append(time.monotonic())
        elif len(tries) == 6:
            enough.set()

    with other_server(talk) as url:
        run, _ = attached(url)
        with run:
            assert enough.wait(60)
    assert (tries[5] - broken[0] < tries[4] - tries[3]) is holds


@pytest.mark.parametrize(
    "answer",
    [
        *("not json", "[]", '{"type":"welcome"}', b"\x00", "[" * 100_000),
        '{"type":"welcome","protocol":1,"run":"r","last_seq":1e400}',
        '{"type":"welcome","protocol":1,"run":"r","last_seq":10000000}',
    ],
    ids=range(7),
)
def test_a_server_that_talks_nonsense_never_stops_the_job(
    answer: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever comes back, training goes on, and the probe says that the answer made no sense."""

    def talk(socket: ServerConnection) -> None:
        socket.recv()
        socket.send(answer)

    with other_server(talk) as url, caplog.at_level(logging.WARNING, "gradgate"):
        run, step = attached(url)
        with run:
            wait_for(lambda: "does not speak" in caplog.text)
            step()
            assert run.parameters()[0].state == "present"
            assert job_of(run).guard.faults == 0


def test_a_token_opens_a_server_that_wants_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it the probe is refused with a reason, with it everything arrives.

    Given by itself, or in the URL that the server has printed.
    """
    with ServerProcess(tmp_path / "data", "--token", "s3cret") as server:
        with caplog.at_level(logging.WARNING, "gradgate"):
            refused, _ = attached(server.url)
            with refused:
                wait_for(lambda: "refused" in caplog.text)
        assert "token" in caplog.text
        for run, step in (attached(server.url, token="s3cret"), attached(server.printed_url)):
            with run:
                for _ in range(3):
                    step()
                assert run.flush(20)
            assert run.url == f"{server.url}/runs/{run.id}"


def test_flush_waits_until_the_server_has_stored_everything(server: ServerProcess) -> None:
    """After flush every sample can be read back over HTTP."""
    run, step = attached(server.url, name="flushed")
    with run:
        for _ in range(25):
            step()
        assert run.flush(20)
        series = server.get(f"/api/runs/{run.id}/series", parameter="weight")
        assert series["steps"] == list(range(1, 26))


def test_what_gathered_is_one_message_and_comes_again_until_it_is_stored() -> None:
    """A backlog is one message; what is not acknowledged is sent over the next connection."""
    trained = Event()
    stored = deque([0, 11])
    received: list[list[int]] = []

    def talk(socket: ServerConnection) -> None:
        run = json.loads(socket.recv())["run"]
        trained.wait()
        welcome = {"type": "welcome", "protocol": 1, "run": run, "last_seq": stored.popleft()}
        socket.send(json.dumps(welcome))
        while isinstance(message := socket.recv(), str):
            assert json.loads(message)["type"] == "heartbeat"
        received.append([_number(frame) for frame in unbundle(message)])
        if not stored:
            socket.send(json.dumps({"type": "ack", "seq": 41}))
            socket.recv()

    with other_server(talk) as url:
        run, step = attached(url, totals=False)
        with run:
            for number in range(20):
                step()
                run.log(loss=number)
            trained.set()
            assert run.flush(20)
    assert received == [list(range(1, 42)), list(range(12, 42))]


def test_a_frame_that_a_server_does_not_take_is_lost_alone(
    server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on at once, all else is stored, and the log says what was refused."""
    caplog.set_level(logging.WARNING, "gradgate")
    run, step = attached(server.url, name="odd")
    with run:
        outbox = job_of(run).uplink.outbox
        for number in range(3):
            for _ in range(5):
                step()
            odd = {"type": "metrics", "step": -number, "time": 1, "values": {"": 1.0}}
            outbox.put(lambda seq, odd=odd: encode_json({**odd, "seq": seq}), keep=number == 1)  # type: ignore[misc]
            assert run.flush(20)
        series = server.get(f"/api/runs/{run.id}/series", parameter="weight")
        assert series["steps"] == list(range(1, 16))
        assert outbox.dropped == 3
    assert server.get(f"/api/runs/{run.id}")["status"] == "finished"
    said = [text for text in caplog.messages if "did not take one message" in text]
    assert len(said) in (1, 2, 3)
    assert "values" in said[0]


@pytest.mark.parametrize("odd", [1, 6])
def test_a_job_that_ends_with_a_frame_that_is_refused_is_stored_whole(
    server: ServerProcess, odd: int
) -> None:
    """The end waits while the others are sent again."""
    run, step = attached(server.url, name="odd end")
    with run:
        step()
        assert run.flush(20)
        outbox = job_of(run).uplink.outbox
        for number in range(6):
            step()
            for _ in range(number >= 6 - odd):
                outbox.put(lambda seq: encode_json({"type": "metrics", "seq": seq, "step": -1}))
    stored = server.get(f"/api/runs/{run.id}")
    assert (stored["samples"], stored["status"]) == (7, "finished")


def _number(frame: str | bytes) -> int:
    number: int = decode(frame).seq if isinstance(frame, bytes) else json.loads(frame)["seq"]
    return number


def test_flush_without_an_answer_gives_up_in_time() -> None:
    """With nobody there flush returns False and does not hang."""
    run, step = attached("http://127.0.0.1:9")
    with run:
        step()
        assert not run.flush(0.05)


def test_what_a_server_does_not_store_goes_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the connection stands: a job that is killed has lost seconds, and not all of it."""
    assert connection.ON_DISK_WITHIN == 5
    monkeypatch.setattr(connection, "TICK", 0.02)
    monkeypatch.setattr(connection, "ON_DISK_WITHIN", 0.2)
    monkeypatch.setenv("GRADGATE_SPOOL", str(tmp_path))
    stores = Event()
    received = [0]

    def talk(socket: ServerConnection) -> None:
        name = json.loads(socket.recv())["run"]
        welcome = {"type": "welcome", "protocol": 1, "run": name, "last_seq": 0}
        socket.send(json.dumps(welcome))
        stores.wait()
        while received[-1] < job_of(run).uplink.outbox.newest:
            message = socket.recv()
            received.extend(map(_number, unbundle(message) if isinstance(message, bytes) else []))
        socket.send(json.dumps({"type": "ack", "seq": received[-1]}))
        with suppress(ConnectionClosed):
            socket.recv()

    with other_server(talk) as url:
        run, step = attached(url, totals=False)
        with run:
            for _ in range(3):
                step()
            wait_for(lambda: list(tmp_path.glob("*.gradgate")))
            assert not run.flush(0)
            stores.set()
            assert run.flush(20)
            assert list(tmp_path.iterdir()) == []


def test_what_was_logged_goes_to_disk_with_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is killed with no server there has its losses where it has gradients."""
    monkeypatch.setattr(connection, "TICK", 0.02)
    monkeypatch.setattr(connection, "ON_DISK_WITHIN", 0.2)
    monkeypatch.setenv("GRADGATE_SPOOL", str(tmp_path))
    run, step = attached("http://127.0.0.1:9", totals=False)
    with run:
        step()
        run.log(behind_the_step=1.0)  # which no boundary sends
        (file,) = wait_for(lambda: list(tmp_path.glob("*.gradgate"))) or []
        wait_for(lambda: b"behind_the_step" in file.read_bytes())


def test_the_end_of_a_job_waits_until_the_server_has_stored_all() -> None:
    """The goodbye comes behind the last acknowledgement, which may take the server a while."""
    heard: list[str] = []

    def talk(socket: ServerConnection) -> None:
        run = json.loads(socket.recv())["run"]
        welcome = {"type": "welcome", "protocol": 1, "run": run, "last_seq": 0}
        socket.send(json.dumps(welcome))
        while "bye" not in heard:
            message = socket.recv()
            heard.append("frame" if isinstance(message, bytes) else json.loads(message)["type"])
            if heard[-1] == "heartbeat" and "frame" in heard:
                socket.send(json.dumps({"type": "ack", "seq": 2}))

    with other_server(talk) as url:
        run, step = attached(url)
        wait_for(lambda: "heartbeat" in heard)
        step()
        run.log(loss=1.0)
        run.detach()
    assert heard[-2:] == ["heartbeat", "bye"]


def test_a_job_of_a_moment_is_kept_whole(server: ServerProcess) -> None:
    """Detached right after its last step, before any connection was up, a run loses nothing."""
    run, step = attached(server.url)
    with run:
        step()
    row = wait_until(
        lambda: server.get("/api/runs")["runs"],
        lambda rows: rows and rows[0]["status"] == "finished",
    )[0]
    assert (row["step"], row["samples"]) == (1, 1)


def test_detaching_without_a_server_does_not_wait() -> None:
    """The end of a job is not held up by a dashboard that is not there."""
    run, step = attached("http://127.0.0.1:9")
    step()
    begin = time.monotonic()
    run.detach()
    assert time.monotonic() - begin < 2
