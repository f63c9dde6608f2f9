"""The browser's WebSocket."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gradgate.server.protocol.frames import Sample, decode
from gradgate.server.store.tables import commands
from tests.support.probing import FakeProbe, distribution, hello, table_row
from tests.support.serving import ServerProcess
from tests.support.storing import behind

PATIENCE = 20


class Browser:
    """Reads a live socket until something comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def until(self, wanted: Callable[[Any], bool]) -> Any:
        """The next frame for which `wanted` is true; a sample comes decoded."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            data = self._socket.recv(PATIENCE)
            frame = decode(data) if isinstance(data, bytes) else json.loads(data)
            if wanted(frame):
                return frame
        raise AssertionError("the frame that was waited for did not come")

    def says(self, message: object) -> None:
        """Send what the page says."""
        self._socket.send(json.dumps(message))

    def message(self, kind: str) -> Any:
        """The next message of a type."""
        return self.until(lambda frame: isinstance(frame, dict) and frame["type"] == kind)

    def sample(self) -> Sample:
        """The next sample."""
        found: Sample = self.until(lambda frame: isinstance(frame, Sample))
        return found


@contextmanager
def watching(server: ServerProcess, run: str) -> Iterator[Browser]:
    """A browser that has had its first row and commands."""
    with connect(f"{server.ws_url}/api/runs/{run}/live", max_size=None) as socket:
        browser = Browser(socket)
        browser.message("run")
        browser.message("commands")
        yield browser


def test_a_sample_crosses_at_once(shared_server: ServerProcess, run: str) -> None:
    """A lone sample reaches the browser with statistics 1, 129, 130, and 2 when it was measured."""
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        probe.sample(41, [1.5, 2.5], [1, 3], step=7)
        sample = browser.sample()
        assert (sample.seq, sample.step, sample.states.tolist()) == (1, 7, [1, 3])
        assert {code: row.tolist() for code, row in sample.values.items()} == {
            1: [1.5, 2.5],
            129: [1.5, 2.5],
            130: [1.5, 2.5],
        }
        probe.sample(42, [1, 2], grad_max=[0.5, 0.25], step=8)
        assert browser.sample().values[2].tolist() == [0.5, 0.25]


def test_what_a_job_sends_again_is_not_told_again(tmp_path: Path, run: str) -> None:
    """A server that was started anew begins behind what it has stored."""
    with ServerProcess(tmp_path / "data") as before, FakeProbe(before, hello(run)) as probe:
        probe.sample(1, [1.0, 2.0])
        probe.sample(2, [3.0, 4.0])
        probe.until_acked(2)
    with (
        ServerProcess(tmp_path / "data") as after,
        FakeProbe(after, hello(run)) as probe,
        watching(after, run) as browser,
    ):
        probe.sample(2, [3.0, 4.0])
        probe.sample(3, [5.0, 6.0])
        assert browser.sample().step == 3


def test_a_fast_stream_comes_as_few_frames(shared_server: ServerProcess, run: str) -> None:
    """A stream comes as ten frames a second at most that together cover every sample."""
    count = 1000
    frames, arrivals = [], []
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        sender = threading.Thread(target=_stream, args=(probe, count))
        sender.start()
        while not frames or frames[-1].step < count:
            frames.append(browser.sample())
            arrivals.append(time.monotonic())
        sender.join(PATIENCE)
    elapsed = arrivals[-1] - arrivals[0]
    assert sum(frame.seq for frame in frames) == count
    assert len(frames) <= elapsed * 10 + 2
    assert max(frame.values[130][0] for frame in frames) == 96
    assert min(frame.values[129][0] for frame in frames) == 0


def test_a_slow_browser_delays_nobody(shared_server: ServerProcess, run: str) -> None:
    """A browser that does not read gets few, wide frames later, and ingest goes on meanwhile."""
    width, count = 40_000, 40
    names = [f"p{place}" for place in range(width)]
    norms = [1.0] * width
    address = f"{shared_server.ws_url}/api/runs/{run}/live"
    with (
        FakeProbe(shared_server, hello(run, names)) as probe,
        connect(address, max_size=None, max_queue=1) as lazy,
        watching(shared_server, run) as browser,
    ):
        seen = 0
        for seq in range(1, count + 1):
            probe.sample(seq, [float(seq), *norms[1:]])
            seen += browser.sample().seq
        assert seen == count
        probe.until_acked(count)
        late = Browser(lazy)
        frames = [late.sample()]
        while frames[-1].step < count:
            frames.append(late.sample())
    assert sum(frame.seq for frame in frames) == count
    assert max(frame.seq for frame in frames) > 1
    assert frames[-1].values[130][0] == count


def test_news_of_run_commands_parameters_and_metrics(
    shared_server: ServerProcess, run: str
) -> None:
    """Each change is told by a message of its own."""
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        probe.heartbeat(step=5)
        browser.until(lambda frame: _is(frame, "run") and frame["run"]["step"] == 5)
        asked = shared_server.post(
            f"/api/runs/{run}/commands", {"kind": "freeze", "target": "a.*"}
        ).json()
        assert browser.message("commands")["commands"] == [asked]
        probe.report(1, asked["id"], "applied", step=6, parameters=[0])
        (row,) = browser.message("commands")["commands"]
        assert (row["state"], row["parameters"]) == ("applied", ["a.weight"])
        probe.send({"type": "frozen", "seq": 2, "frozen": []})
        browser.message("parameters")
        table = [table_row(name) for name in ("a.weight", "a.bias", "new")]
        probe.send({"type": "parameters", "seq": 3, "parameters": table})
        browser.message("parameters")
        values = {"loss": 0.5, "lr": None}
        probe.send({"type": "metrics", "seq": 4, "step": 9, "time": 1.0, "values": values})
        assert browser.message("metrics") == {
            "type": "metrics",
            "points": [{"step": 9, "values": values, "nonfinite": {"lr": "nan"}}],
            "complete": True,
        }


def test_every_metric_comes_in_order(shared_server: ServerProcess, run: str) -> None:
    """What is logged faster than the page is told comes as several points of one message."""
    count = 300
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        for seq in range(1, count + 1):
            values = {"loss": seq / 8} if seq % 2 else {"lr": math.inf}
            probe.send({"type": "metrics", "seq": seq, "step": seq, "time": 1.0, "values": values})
        points: list[Any] = []
        messages = 0
        while len(points) < count:
            message = browser.message("metrics")
            assert message["complete"]
            points += message["points"]
            messages += 1
    assert [point["step"] for point in points] == list(range(1, count + 1))
    assert points[0]["values"] == {"loss": 0.125}
    assert points[1]["values"] == {"lr": None}
    assert messages < count


def test_the_row_comes_at_most_twice_a_second(shared_server: ServerProcess, run: str) -> None:
    """Against live frames, of which there are ten a second at most, rows are few."""
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        sender = threading.Thread(target=_stream, args=(probe, 2000))
        sender.start()
        browser.message("run")
        kinds: list[str] = []

        def last(frame: Any) -> bool:
            kinds.append("sample" if isinstance(frame, Sample) else frame["type"])
            return isinstance(frame, Sample) and frame.step == 2000

        browser.until(last)
        sender.join(PATIENCE)
    assert kinds.count("run") >= 1
    assert kinds.count("run") * 3 <= kinds.count("sample") + 3


def test_a_quiet_run_is_still_told_of(shared_server: ServerProcess, run: str) -> None:
    """The row comes at least every two seconds, and says when the run is lost."""
    with FakeProbe(shared_server, hello(run)), watching(shared_server, run) as browser:
        browser.until(lambda frame: _is(frame, "run") and frame["run"]["status"] == "lost")
        assert browser.message("run")["run"]["status"] == "lost"


def test_at_connect_the_latest_commands_come(shared_server: ServerProcess, run: str) -> None:
    """A browser that comes later gets the ledger's latest hundred, newest first."""
    with FakeProbe(shared_server, hello(run)):
        for _ in range(103):
            shared_server.post(f"/api/runs/{run}/commands", {"kind": "thaw", "target": "a"})
        with connect(f"{shared_server.ws_url}/api/runs/{run}/live") as socket:
            rows = Browser(socket).message("commands")["commands"]
    assert [row["id"] for row in rows] == list(range(103, 3, -1))


def test_a_page_is_told_of_what_it_shows(shared_server: ServerProcess, run: str) -> None:
    """A hidden page gets the run's row alone; shown again, one frame covers what it missed."""
    with FakeProbe(shared_server, hello(run)) as probe, watching(shared_server, run) as browser:
        browser.says({"type": "watch", "topics": []})
        browser.message("run")
        told: list[Any] = []
        for step in range(1, 6):
            probe.sample(2 * step - 1, [float(step), 1], grad_max=[1, 1], step=step)
            logged = {"step": step, "time": 1.0, "values": {"loss": 0.5}}
            probe.send({"type": "metrics", "seq": 2 * step, **logged})
            probe.until_acked(2 * step)
            browser.until(lambda frame: told.append(frame) is None and _is(frame, "run"))
        assert all(_is(frame, "run") or _opens(frame) for frame in told)
        browser.says({"type": "watch", "topics": ["samples"], "statistics": []})
        sample = browser.sample()
        assert (sample.seq, sample.step) == (5, 5)
        assert {code: row[0] for code, row in sample.values.items()} == {1: 5, 129: 1, 130: 5}
        browser.says({"type": "watch"})
        points = browser.message("metrics")["points"]
        assert [point["step"] for point in points] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("{", "cannot read: load it again"),
        ('{"type": "weather"}', "cannot read: load it again"),
        ('{"type": "watch", "interval": -1}', "cannot read: load it again"),
        (b"GG", "cannot read: load it again"),
        (json.dumps({"type": "watch", "topics": ["x" * 70_000]}), "at most 65536 characters"),
    ],
)
def test_what_a_page_may_not_say_closes_its_socket(
    shared_server: ServerProcess, run: str, said: str | bytes, reason: str
) -> None:
    """The close reason says what to do, and the server goes on."""
    with (
        FakeProbe(shared_server, hello(run)),
        connect(f"{shared_server.ws_url}/api/runs/{run}/live") as socket,
    ):
        socket.send(said)
        with pytest.raises(ConnectionClosed, match=reason) as caught:
            Browser(socket).until(lambda _: False)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_an_unknown_run_closes_the_socket(shared_server: ServerProcess) -> None:
    """The close reason says what is wrong."""
    with (
        connect(f"{shared_server.ws_url}/api/runs/nosuchrun/live") as socket,
        pytest.raises(ConnectionClosed, match="no run 'nosuchrun'") as caught,
    ):
        socket.recv(PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_a_store_that_cannot_be_read_closes_the_socket(server: ServerProcess, run: str) -> None:
    """The browser is told so, and the log has no traceback."""
    with FakeProbe(server, hello(run)), watching(server, run) as browser:
        with behind(server.data) as store:
            store.exec_driver_sql("DROP TABLE runs")
        with pytest.raises(ConnectionClosed, match="store cannot be read") as caught:
            browser.until(lambda _: False)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    assert "in serve_browser" not in server.output


def test_each_page_is_told_of_what_it_looks_at(shared_server: ServerProcess, run: str) -> None:
    """The job of what both look at; it looks away as soon as nobody is left who looks."""
    with FakeProbe(shared_server, hello(run, focus=16)) as probe:
        with watching(shared_server, run) as first, watching(shared_server, run) as second:
            first.says({"type": "watch", "focus": [1]})
            _until_focus(probe, 1)
            second.says({"type": "watch", "focus": [0]})
            _until_focus(probe, 1, 0)
            probe.distributions(7, 0, 1)
            for page, index in ((first, 1), (second, 0)):
                assert page.message("focus") == {
                    "type": "focus",
                    "parameters": [index],
                    "problem": None,
                }
                (row,) = page.message("distributions")["parameters"]
                assert (row["parameter"], row["step"], row["time"]) == (index, 7, 1.5)
                assert (row["gradient"], row["stale"]) == (distribution(), True)
        _until_focus(probe)


def test_a_look_at_an_unknown_parameter_ends_the_connection_of_the_job(
    shared_server: ServerProcess, run: str
) -> None:
    """As any other frame does that speaks of one."""
    with FakeProbe(shared_server, hello(run, focus=16)) as probe:
        probe.distributions(7, 2)
        answers = iter(probe.receive, None)
        refused = next(answer for answer in answers if answer["type"] == "error")
        assert "Index 2 is outside the parameter table" in refused["message"]


def _until_focus(probe: FakeProbe, *wanted: int) -> None:
    """Wait until the job is told to look at these; what is looked at is told again and again."""
    message: dict[str, Any] = {}
    while message.get("type") != "focus" or message["parameters"] != list(wanted):
        message = probe.receive()
    assert message["seconds"] == 15


def _stream(probe: FakeProbe, count: int) -> None:
    """Send samples at the pace of a fast job."""
    for seq in range(1, count + 1):
        probe.sample(seq, [float(seq % 97), 1.0])
        time.sleep(0.001)


def _opens(frame: Any) -> bool:
    """Is this of what every page is told at first?"""
    return _is(frame, "gates") or _is(frame, "alerts")


def _is(frame: Any, kind: str) -> bool:
    return isinstance(frame, dict) and frame["type"] == kind


def test_a_command_that_the_job_cannot_be_sent_is_told_as_rejected(
    shared_server: ServerProcess, run: str
) -> None:
    """One that is stored and cannot be read is found when the job comes back."""
    with FakeProbe(shared_server, hello(run)):
        pass
    path = f"/api/runs/{run}/commands"
    number = shared_server.post(path, {"kind": "freeze", "target": "a.*"}).json()["id"]
    with behind(shared_server.data) as store:
        store.execute(update(commands).where(commands.c.run == run).values(mode="sideways"))
    with watching(shared_server, run) as browser, FakeProbe(shared_server, hello(run)):
        (row,) = browser.message("commands")["commands"]
    assert (row["id"], row["state"]) == (number, "rejected")
    assert "cannot read what is stored of this command" in row["reason"]
