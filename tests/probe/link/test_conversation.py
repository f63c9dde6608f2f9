"""One connection: what is said over it, and what one bad message costs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gradgate.probe.base.guard import Guard
from gradgate.probe.link import conversation
from gradgate.probe.link.answers import Answers
from gradgate.probe.link.conversation import Conversation, Ending
from gradgate.probe.link.outbox import Outbox
from gradgate.probe.link.server_messages import ForeignMessage
from gradgate.server.protocol.bundle import unbundle

Talk = Callable[[ServerConnection], Awaitable[None]]


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a loop in a thread of its own, as the link does: the tests' thread may have one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, main).result()


class Run:
    """A peer that has much to tell, and chokes on commands of the kind ``bad``."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.logged = 0

    def hello(self) -> dict[str, Any]:
        return {"type": "hello", "run": "r"}

    def heartbeat(self) -> dict[str, Any]:
        return {"type": "heartbeat", "step": 7, "logged": self.logged}

    def send_logged(self) -> None:
        self.logged += 1

    def receive(self, message: Any) -> None:
        if message["kind"] == "bad":
            raise AttributeError("no such thing")
        self.received.append(message["id"])


def converse(
    talk: Talk,
    peer: Run,
    outbox: Outbox | None = None,
    ending: Ending | None = None,
    *,
    known: bool = False,
) -> Guard:
    """Hold a whole conversation with a real server that talks as ``talk`` does."""
    return converse_weakly(talk, weakref.ref(peer), outbox, ending, known=known)


def converse_weakly(
    talk: Talk,
    peer: weakref.ref[Run],
    outbox: Outbox | None = None,
    ending: Ending | None = None,
    *,
    known: bool = False,
) -> Guard:
    """Hold a whole conversation for a peer that may be gone before its end."""
    guard = Guard()

    async def main() -> None:
        said = ending or Ending()
        async with serve(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", proxy=None) as socket:
                talking = Conversation(socket, outbox or Outbox(), Answers(), peer, guard, said)
                await talking.open(known=known)
                with contextlib.suppress(ConnectionClosed):
                    try:
                        await talking.talk()
                    finally:
                        said.asked.set()

    run_loop(main())
    return guard


async def welcome(socket: ServerConnection, last_seq: int = 0) -> None:
    """Take the hello and answer it."""
    assert json.loads(await socket.recv())["type"] == "hello"
    await answer_hello(socket, last_seq)


async def answer_hello(socket: ServerConnection, last_seq: int = 0) -> None:
    """Say how far the server is."""
    await socket.send(
        json.dumps({"type": "welcome", "protocol": 1, "run": "r", "last_seq": last_seq})
    )


def test_a_command_that_fails_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is counted, and what comes before and behind it is received over the same line."""
    monkeypatch.delenv("GRADGATE_STRICT")

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        for number, kind in enumerate(["freeze", "bad", "bad", "thaw"]):
            await socket.send(json.dumps({"type": "command", "id": number, "kind": kind}))

    peer = Run()
    guard = converse(talk, peer)
    assert peer.received == [0, 3]
    assert guard.faults == 2


@pytest.mark.parametrize("asks", [False, True])
def test_a_known_table_is_sent_when_it_is_asked_for(asks: bool) -> None:
    """The digest goes alone, and everything after it where the server does not know it."""
    said: list[Any] = []

    class Tabled(Run):
        def hello(self) -> dict[str, Any]:
            return {**super().hello(), "columns": {"names": ["a"]}, "digest": "d"}

    async def talk(socket: ServerConnection) -> None:
        said.append(json.loads(await socket.recv()))
        if asks:
            await socket.send(json.dumps({"type": "table"}))
            said.append(json.loads(await socket.recv()))
        await answer_hello(socket)

    peer = Tabled()
    converse(talk, peer, known=True)
    whole = peer.hello()
    brief = {"type": "hello", "run": "r", "digest": "d"}
    assert said == ([brief, whole] if asks else [brief])


def test_what_the_server_has_stored_is_not_sent_again() -> None:
    """The welcome says how far the server is, and what comes behind that is sent in order."""
    outbox = Outbox()
    for _ in range(4):
        outbox.put(lambda seq: json.dumps({"seq": seq}))
    outbox.offer(outbox.take()[2])
    heard: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket, last_seq=3)
        while not (heard and "seq" in heard[-1]):
            heard.append(json.loads(await socket.recv()))

    converse(talk, Run(), outbox)
    assert [message["seq"] for message in heard if "seq" in message] == [4]


class Putting(Run):
    """Puts a frame for each command, which must not be dropped where the kind says so."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def receive(self, message: Any) -> None:
        self._outbox.put(lambda seq: f'{{"seq":{seq}}}', keep=message["kind"] == "keep")


@pytest.mark.parametrize(
    ("gather", "longest", "waits"),
    [
        *((60, 60.0, True), (1e9, 60.0, True), (1e9, 0.05, False)),
        *((0.1, 60.0, False), (None, 60.0, False), (-1, 60.0, False), (math.nan, 60.0, False)),
    ],
)
def test_frames_gather_for_as_long_as_the_server_says(
    monkeypatch: pytest.MonkeyPatch, gather: float | None, longest: float, waits: bool
) -> None:
    """Within bounds, and until one comes that must not wait."""
    for name, seconds in (("BATCHING", 0.02), ("LONGEST_BATCHING", longest), ("HEARTBEAT", 0.1)):
        monkeypatch.setattr(conversation, name, seconds)
    outbox = Outbox()
    heard: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        async def hear(text: str) -> None:
            while True:
                heard.append(str(await socket.recv()))
                if text in heard[-1]:
                    return

        async def ask(number: int, kind: str) -> None:
            await socket.send(json.dumps({"type": "command", "id": number, "kind": kind}))

        await welcome(socket)
        await socket.send(json.dumps({"type": "ack", "seq": 0, "gather": gather}))
        await ask(1, "frame")
        await hear('"seq":1}')
        await ask(2, "frame")
        for _ in range(5):
            await hear("heartbeat")
        await ask(3, "keep")
        await hear('"seq":3}')

    converse(talk, Putting(outbox), outbox)
    assert ('"seq":2}' in heard[-1]) == waits


def test_an_acknowledged_frame_is_forgotten() -> None:
    """What the server says that it has stored waits no longer."""
    outbox = Outbox()
    outbox.put(lambda seq: json.dumps({"seq": seq}))

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        while "seq" not in json.loads(await socket.recv()):
            pass
        await socket.send(json.dumps({"type": "ack", "seq": 1}))

    converse(talk, Run(), outbox)
    assert outbox.wait_empty(0)


def test_the_goodbye_comes_behind_all_that_waits_and_nothing_comes_twice() -> None:
    """When the link ends while the sender pauses, the server hears the rest first, the bye last."""
    outbox = Outbox()

    def put() -> None:
        outbox.put(lambda seq: json.dumps({"type": "metrics", "seq": seq}))

    ending = Ending(bye={"type": "bye"})
    heard: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        while not heard or heard[-1]["type"] != "bye":
            heard.append(json.loads(await socket.recv()))
            if heard[-1].get("seq") == 1:
                put()
                ending.asked.set()

    put()
    converse(talk, Run(), outbox, ending)
    assert [message["seq"] for message in heard if "seq" in message] == [1, 2]


@pytest.mark.parametrize("answer", ["bye", "silence", "end"])
def test_the_goodbye_is_stored_once_the_server_says_so(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where it says nothing in time, nor where it closes; what it has stored is forgotten."""
    monkeypatch.setattr(conversation, "PARTING", 20.0 if answer != "silence" else 0.05)
    outbox = Outbox()
    outbox.put(lambda seq: json.dumps({"type": "metrics", "seq": seq}))
    ending = Ending(bye={"type": "bye"})

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        await socket.send(json.dumps({"type": "bye"}))  # which answers nothing
        ending.asked.set()
        while json.loads(await socket.recv())["type"] != "bye":
            pass
        for each in ({"type": "command", "id": 1, "kind": "bad"}, {"type": "ack", "seq": 1}):
            await socket.send(json.dumps(each))
        if answer == "bye":
            await socket.send(json.dumps({"type": "bye"}))
        if answer != "end":
            await socket.wait_closed()

    guard = converse(talk, Run(), outbox, ending)
    assert ending.is_stored is (answer == "bye")
    assert outbox.wait_empty(0)
    assert guard.faults == 0


def test_a_run_that_is_gone_ends_the_link_with_a_goodbye() -> None:
    """The thread does not keep a run alive whose model and optimizer are gone."""
    ending = Ending()
    heard: list[Any] = []
    peers = [Run()]

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        heard.append(json.loads(await socket.recv()))
        peers.clear()
        while heard[-1]["type"] != "bye":
            heard.append(json.loads(await socket.recv()))

    converse_weakly(talk, weakref.ref(peers[0]), ending=ending)
    assert ending.asked.is_set()
    assert heard[-1]["step"] == 7


def test_the_goodbye_of_a_run_that_is_gone_knows_the_step_of_an_earlier_connection() -> None:
    """A run that went between two connections ended at the step that was told last."""
    ending = Ending(last_step=41)
    heard: list[Any] = []
    peers = [Run()]

    async def talk(socket: ServerConnection) -> None:
        assert json.loads(await socket.recv())["type"] == "hello"
        peers.clear()
        await answer_hello(socket)
        heard.append(json.loads(await socket.recv()))

    converse_weakly(talk, weakref.ref(peers[0]), ending=ending)
    assert (heard[-1]["type"], heard[-1]["step"]) == ("bye", 41)


def test_with_a_heartbeat_goes_what_was_logged() -> None:
    """There may be no step for a long time that would send it."""
    beats: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await answer_hello(socket)
        beats.append(json.loads(await socket.recv()))

    converse(talk, Run())
    assert (beats[0]["type"], beats[0]["logged"]) == ("heartbeat", 1)


class Logging(Run):
    """Puts a frame for each command, before which something was logged."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox
        self._waits = 0

    def send_logged(self) -> None:
        waiting, self._waits = self._waits, 0
        for _ in range(waiting):
            self._outbox.put(lambda seq: f'{{"logged":{seq}}}')

    def receive(self, message: Any) -> None:
        self._waits += 1
        self._outbox.put(lambda seq: f'{{"seq":{seq}}}')


def test_what_was_logged_goes_with_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same message: a job that is killed behind it has its losses where it has gradients."""
    monkeypatch.setattr(conversation, "HEARTBEAT", 1000.0)
    outbox = Outbox()
    heard: list[list[bytes | str]] = []

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        assert "heartbeat" in str(await socket.recv())
        for number in range(3):
            await socket.send(json.dumps({"type": "command", "id": number, "kind": "frame"}))
            heard.append(unbundle(bytes(await socket.recv(decode=False))))

    converse(talk, Logging(outbox), outbox)
    assert heard == [[f'{{"seq":{n}}}', f'{{"logged":{n + 1}}}'] for n in (1, 3, 5)]


def test_pings_leave_the_random_numbers_of_the_script_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the library would be drawn from `random`, in the midst of a job that uses it."""
    ping = ClientConnection.ping
    pings: list[Any] = []

    async def noted(socket: ClientConnection, data: Any = None) -> Awaitable[float]:
        pings.append(data)
        return await ping(socket, data)

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        while len(pings) < 5:
            await socket.recv()

    monkeypatch.setattr(ClientConnection, "ping", noted)
    monkeypatch.setattr(conversation, "PING", 0.001)
    monkeypatch.setattr(conversation, "HEARTBEAT", 0.01)
    before = random.getstate()
    converse(talk, Run())
    assert random.getstate() == before
    assert None not in pings
    assert len(set(pings)) == len(pings) >= 5


def test_a_connection_over_which_nothing_comes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is not closed, and what is sent still finds room: nobody answers a ping."""
    monkeypatch.setattr(conversation, "SILENCE", 0.3)
    ending = Ending()

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        monkeypatch.setattr(socket.protocol, "receive_data", lambda data: None)
        await ending.asked.wait()

    with pytest.raises(TimeoutError, match="nothing was heard of the server"):
        converse(talk, Run(), ending=ending)


def test_a_server_that_answers_pings_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it has nothing to say for longer than it may be silent."""
    monkeypatch.setattr(conversation, "SILENCE", 1.5)
    monkeypatch.setattr(conversation, "PING", 0.1)
    monkeypatch.setattr(conversation, "HEARTBEAT", 0.6)
    heard: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        while len(heard) < 5:
            heard.append(await socket.recv())

    converse(talk, Run())
    assert len(heard) == 5


@pytest.mark.parametrize("seq", [2, 10**12])
def test_what_a_server_never_got_it_cannot_have_stored(seq: int) -> None:
    """It is taken for something else, and what waits is kept for a server that stores it."""
    outbox = Outbox()
    outbox.put(lambda seq: json.dumps({"seq": seq}))

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        while "seq" not in json.loads(await socket.recv()):
            pass
        await socket.send(json.dumps({"type": "ack", "seq": seq}))

    with pytest.raises(ForeignMessage, match=f"it says that it has stored frame {seq}"):
        converse(talk, Run(), outbox)
    assert outbox.holds(1)


@pytest.mark.parametrize("still", [29.0, 31.0])
def test_what_came_while_the_job_stood_still_is_asked_for_again(
    still: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may have waited for hours in its socket: the next connection tells its age."""
    now = [0.0]
    monkeypatch.setattr(conversation, "elapsed", lambda: now[0])
    peer = Run()
    ended: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        await welcome(socket)
        await socket.recv()
        now[0] += still
        await socket.send(json.dumps({"type": "command", "id": 3, "kind": "freeze"}))
        while not peer.received and not ended:
            ended.extend(["closed"] if await closes(socket) else [])

    async def closes(socket: ServerConnection) -> bool:
        try:
            await socket.recv()
        except ConnectionClosed:
            return True
        return False

    with contextlib.suppress(TimeoutError):
        converse(talk, peer)
    assert peer.received == ([3] if still < conversation.SILENCE else [])
