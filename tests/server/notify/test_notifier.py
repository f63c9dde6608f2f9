"""Notifications to a real receiver: what it gets, and what becomes of one that hangs or fails."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from socketserver import StreamRequestHandler, TCPServer
from typing import Any

import pytest

from gradgate.server.events.finding import Finding
from gradgate.server.notify import targets
from gradgate.server.notify.notifier import A_MINUTE, Notifier, Notifiers, Wanted
from gradgate.server.notify.targets import BadNotification, NotSent, Told, masked, target_of
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.events import append_events, event_rows
from gradgate.server.store.runs import open_run
from tests.support.probing import NONFINITE, PRESENT, FakeProbe, hello
from tests.support.serving import ServerProcess

WITHIN = 20.0


class Receiver:
    """An HTTP server that keeps what is posted to it, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: Queue[dict[str, Any]] = Queue()
        self.status = 200
        self.free = threading.Event()
        self.free.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.put(json.loads(body))
                receiver.free.wait(WITHIN)
                self.send_response(receiver.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:secret@127.0.0.1:{self.server.server_port}/hook/secret?key=secret"
        self.plain = f"http://127.0.0.1:{self.server.server_port}/hook/secret?key=secret"

    def next(self) -> dict[str, Any]:
        """Return the next body that was posted."""
        return self.bodies.get(timeout=WITHIN)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that serves."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.free.set()
        receiver.server.shutdown()
        receiver.server.server_close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with receiving() as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, run: str) -> Iterator[Store]:
    """A store with one run."""
    store = Store(tmp_path)
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
    yield store
    store.close()


def happen(store: Store, run: str, *kinds: str, level: str = "alert") -> list[int]:
    """Store events."""
    findings = [
        Finding(kind, level, 1.0, 7, f"It is a {kind}.", {})  # type: ignore[arg-type]
        for kind in kinds
    ]
    with store.write() as connection:
        return append_events(connection, run, findings)


@pytest.fixture
def notifiers(store: Store) -> Iterator[Callable[..., Notifiers]]:
    """Makes notifiers that run."""
    made: list[Notifiers] = []

    def make(*urls: str, **options: Any) -> Notifiers:
        wanted = Wanted(urls, **options)
        made.append(Notifiers(store, wanted.targets(), wanted))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_webhook_gets_what_happened(
    store: Store, run: str, receiver: Receiver, notifiers: Callable[..., Notifiers]
) -> None:
    """Of the chosen kinds and level, in the order in which it happened."""
    sending = notifiers(receiver.plain, kinds=("spike", "drift"))
    sending.notify(run, happen(store, run, "spike", "dead", "drift"))
    sending.notify(run, happen(store, run, "spike", level="note"))
    first, second = receiver.next(), receiver.next()
    assert first["text"] == "digits: It is a spike."
    assert (first["run"], first["more"]) == ({"id": run, "name": "digits"}, 0)
    assert (first["event"]["id"], first["event"]["step"]) == (1, 7)
    assert second["event"]["kind"] == "drift"
    sending.close()
    with pytest.raises(Empty):
        receiver.bodies.get_nowait()


def test_a_template_makes_the_body(
    store: Store, run: str, receiver: Receiver, notifiers: Callable[..., Notifiers]
) -> None:
    """Of the documented fields, whatever is in a name."""
    template = '{"content": {{ text | tojson }}, "where": "{{ event.step }} {{ run.id }}"}'
    sending = notifiers(receiver.plain, template=template, level="note")
    sending.notify(run, happen(store, run, "gate", level="note"))
    assert receiver.next() == {"content": "digits: It is a gate.", "where": f"7 {run}"}


@pytest.mark.parametrize(
    "template",
    ["{{", "no JSON", '{"a": "{{ nothing }}"}', "{{ text.__class__.__mro__ | tojson }}"],
)
def test_a_template_that_makes_no_json_is_refused(template: str) -> None:
    """When the server starts, and nothing of Python can be reached from it."""
    with pytest.raises(BadNotification, match=r"see docs/events\.md"):
        target_of("http://127.0.0.1/hook", template)


def test_an_event_of_which_a_template_makes_no_json_takes_no_other_along(
    store: Store,
    run: str,
    receiver: Receiver,
    notifiers: Callable[..., Notifiers],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is counted as not sent, the next is, and the log says what is wrong."""
    figure = "{% if event.kind == 'drift' %}{{ event.figures.total.value }}{% endif %}"
    sending = notifiers(receiver.plain, template=f'{{"more": {{{{ more }}}}{figure}}}')
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        sending.notify(run, happen(store, run, "drift", "spike"))
        assert receiver.next() == {"more": 1}
        sending.close()
    assert "(its template makes no JSON of a drift: " in caplog.text
    assert "secret" not in caplog.text


def test_what_speaks_no_http_is_one_that_fails(store: Store, run: str) -> None:
    """As one that answers with an error."""

    class Nonsense(StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"what?\r\n\r\n")

    with TCPServer(("127.0.0.1", 0), Nonsense) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        target = target_of(f"http://127.0.0.1:{server.server_address[1]}/hook", None)
        (number,) = happen(store, run, "spike")
        with store.read() as connection:
            (event,) = event_rows(connection, run, limit=1, ids=[number])
        with pytest.raises(NotSent, match="BadStatusLine"):
            target.send(Told(run, "digits", event, 0))
        thread.join()


def test_a_redirect_is_not_followed(
    store: Store,
    run: str,
    receiver: Receiver,
    notifiers: Callable[..., Notifiers],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing would be posted where it leads to, so it counts as not sent."""
    receiver.status = 302
    sending = notifiers(receiver.plain)
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        sending.notify(run, happen(store, run, "spike", "drift"))
        assert [receiver.next()["more"] for _ in range(2)] == [0, 1]
        sending.close()
    assert "(it answered 302)" in caplog.text


def test_a_receiver_that_fails_is_logged_once_without_its_secrets(
    store: Store,
    run: str,
    receiver: Receiver,
    notifiers: Callable[..., Notifiers],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next that is taken says how many were not."""
    receiver.status = 500
    sending = notifiers(receiver.plain)
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        for _ in range(3):
            sending.notify(run, happen(store, run, "spike"))
            receiver.next()
            receiver.status = 500
        sending.notify(run, happen(store, run, "spike"))
        receiver.next()
        receiver.free.clear()
        sending.notify(run, happen(store, run, "spike"))
        told = receiver.next()
        receiver.status = 200
        receiver.free.set()
        sending.notify(run, happen(store, run, "spike"))
        again = receiver.next()
        sending.close()
    assert again["more"] == 0
    assert (told["more"], "(4 more events before it were not sent.)" in told["text"]) == (4, True)
    assert [entry.getMessage() for entry in caplog.records] == [
        "Notifications to http://127.0.0.1… fail (it answered 500): events are kept, and the next "
        "is tried."
    ]


def test_a_receiver_that_hangs_holds_nobody(
    store: Store,
    run: str,
    receiver: Receiver,
    notifiers: Callable[..., Notifiers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another gets its notifications meanwhile, and telling never waits, however much waits."""
    monkeypatch.setattr(targets, "WITHIN", 0.5)
    with receiving() as other:
        receiver.free.clear()
        sending = notifiers(receiver.plain, other.plain)
        ids = happen(store, run, "spike")
        sending.notify(run, ids)
        receiver.next()
        sending.notify(run, happen(store, run, "drift"))
        assert [other.next()["event"]["kind"] for _ in range(2)] == ["spike", "drift"]
        assert receiver.next()["more"] == 1


def test_a_flood_is_limited_and_counted(store: Store, run: str, receiver: Receiver) -> None:
    """Ten in a minute, and then the next says how many were left out."""
    flood = A_MINUTE + 25
    times = iter([0.0] * flood + [61.0])
    target = target_of(receiver.plain, None)
    notifier = Notifier(store, target, Wanted().chooses, clock=lambda: next(times))
    notifier.start()
    notifier.notify(run, happen(store, run, *["spike"] * flood))
    notifier.notify(run, happen(store, run, "drift"))
    assert [receiver.next()["more"] for _ in range(A_MINUTE + 1)] == [0] * A_MINUTE + [25]
    notifier.close()


def test_a_server_tells_while_its_receiver_hangs(
    tmp_path: Path, run: str, receiver: Receiver
) -> None:
    """What the job sends is stored meanwhile; the run's begin is a note, and is not told."""
    receiver.free.clear()
    with ServerProcess(tmp_path / "data", "--notify", receiver.plain) as server:
        with FakeProbe(server, hello(run)) as probe:
            probe.sample(1, [1, 1], [PRESENT, PRESENT])
            probe.sample(2, [float("nan"), 1], [NONFINITE, PRESENT])
            told = receiver.next()
            probe.sample(3, [1, 1], [PRESENT, PRESENT])
            probe.until_acked(3)
        assert told["text"] == "digits: NaN or infinity in the gradient of a.weight at step 2."
        assert server.get(f"/api/runs/{run}")["samples"] == 3
        receiver.free.set()
        assert server.stop(signal.SIGTERM) == 0


def test_a_service_of_apprise_gets_it(
    store: Store, run: str, receiver: Receiver, notifiers: Callable[..., Notifiers]
) -> None:
    """Here its own JSON service, at the same receiver."""
    sending = notifiers(receiver.plain.replace("http://", "json://"))
    sending.notify(run, happen(store, run, "spike"))
    body = receiver.next()
    assert (body["title"], body["message"]) == ("digits: spike", "digits: It is a spike.")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense://secret", "Apprise knows no service of nonsense://…"),
        ("secret", "Apprise knows no service of …"),
        ("http:///secret", "http://… is no address"),
        ("http://[secret", "http://… is no address"),
    ],
)
def test_what_is_no_target_is_refused_without_its_secrets(url: str, told: str) -> None:
    """With what to give instead."""
    with pytest.raises(BadNotification, match=told) as refused:
        target_of(url, None)
    assert "secret" not in str(refused.value)


def test_a_url_is_masked(receiver: Receiver) -> None:
    """The user, the path and the query of an address, and all of a service's."""
    assert masked(receiver.url) == "http://127.0.0.1…"
    assert masked("tgram://secret/chat") == "tgram://…"
