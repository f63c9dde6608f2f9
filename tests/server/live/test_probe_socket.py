"""The probe's WebSocket: what is acknowledged is stored, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.probing import (
    ABSENT,
    FROZEN,
    NONFINITE,
    PRESENT,
    FakeProbe,
    columns,
    hello,
    pack_sample,
)
from tests.support.serving import ServerProcess
from tests.support.storing import blocked
from tests.support.waiting import wait_for, wait_until

SMALL, LARGE = "5" * 32, "1" * 32
"""Digests of tables; what they are made of is the job's own affair."""


def test_welcome_tells_a_new_run_from_a_known_one(shared_server: ServerProcess, run: str) -> None:
    """`last_seq` is 0 for a new run, and the last stored number after a reconnection."""
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 0
        assert probe.welcome["run"] == run
        probe.sample(3, [1, 2])
        probe.sample(8, [1, 2])
        probe.until_acked(8)
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 8


def without_table(run: str, digest: str) -> dict[str, Any]:
    """A `hello` that says of the table no more than its digest."""
    return hello(run, parameters=None, protocol=2, digest=digest)


def test_a_table_that_is_known_is_not_sent_again(shared_server: ServerProcess, run: str) -> None:
    """Its digest is enough, over a reconnection and after a table that grew."""
    path = f"/api/runs/{run}"
    small, large = columns("a", "b"), columns("a", "b", "c")
    greeting = hello(run, parameters=None, columns=small, protocol=2, digest=SMALL)
    with FakeProbe(shared_server, greeting) as probe:
        assert (probe.welcome["type"], probe.welcome["protocol"]) == ("welcome", 2)
    with FakeProbe(shared_server, without_table(run, SMALL)) as probe:
        assert probe.welcome["type"] == "welcome"
        table = {"type": "parameters", "seq": 1, "columns": large, "digest": LARGE}
        probe.send(table)
        probe.sample(2, [1, 2, 3])
        probe.until_acked(2)
    with FakeProbe(shared_server, without_table(run, LARGE)) as probe:
        assert probe.welcome["type"] == "welcome"
        probe.sample(3, [1, 2, 3])
        probe.until_acked(3)
    assert shared_server.get(path)["parameters"] == 3


def test_a_server_that_was_started_anew_knows_the_table(server: ServerProcess, run: str) -> None:
    """It is in the store, with what is frozen counted against it."""
    greeting = hello(run, parameters=None, columns=columns("a", "b"), protocol=2, digest=SMALL)
    with FakeProbe(server, greeting):
        pass
    server.kill()
    server.restart()
    held = {"command": None, "by": "ada", "mode": "grad", "since_step": 1, "parameters": [1]}
    with FakeProbe(server, {**without_table(run, SMALL), "frozen": [held]}) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        grown = {"type": "parameters", "seq": 2, "columns": columns("z", numel=9)}
        probe.send(grown)
        assert "shrank from 2 to 1 rows" in str(probe.until_closed())
    row = server.get(f"/api/runs/{run}")
    assert (row["parameters"], row["numel"], row["samples"]) == (2, 16, 1)


def test_a_table_that_is_not_known_is_asked_for(shared_server: ServerProcess, run: str) -> None:
    """Of a new run, and of one whose table was another; then `hello` comes again, with it."""
    told = {"columns": columns("a"), "digest": SMALL}
    for digest in (SMALL, LARGE):
        with FakeProbe(shared_server, without_table(run, digest)) as probe:
            assert probe.welcome == {"type": "table"}
            probe.send({**without_table(run, digest), **told})
            assert probe.receive()["type"] == "welcome"
    with FakeProbe(shared_server, without_table(run, LARGE)) as probe:
        probe.send(without_table(run, LARGE))
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert "The table was asked for" in last["message"]


def test_a_job_of_an_earlier_version_is_answered_in_its_own(
    shared_server: ServerProcess, run: str
) -> None:
    """It tells its table row by row, and would not take another version for an answer."""
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["protocol"] == 1


def test_what_is_sent_again_is_stored_once(shared_server: ServerProcess, run: str) -> None:
    """Frames whose number is not above the last stored one are ignored, and the rest are taken."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq in range(1, 6):
            probe.sample(seq, [seq, seq])
        probe.until_acked(5)
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq in range(3, 9):
            probe.sample(seq, [100 + seq, seq])
        probe.until_acked(8)
    series = shared_server.get(f"/api/runs/{run}/series", parameter="a.weight")
    assert series["values"] == [1, 2, 3, 4, 5, 106, 107, 108]
    assert shared_server.get(f"/api/runs/{run}")["samples"] == 8


def test_an_ack_comes_only_after_the_commit(server: ServerProcess, run: str) -> None:
    """While another process holds the data base, nothing is acknowledged and healthz says 503."""
    with FakeProbe(server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        with blocked(server.data):
            probe.sample(2, [3, 4])
            answer = wait_until(
                lambda: httpx.get(server.url + "/healthz", timeout=30),
                lambda health: health.status_code == 503,
            )
            assert answer.json()["status"] == "failing"
            assert "writ" in answer.json()["store"]["error"]
            assert server.get(f"/api/runs/{run}")["samples"] == 1
        probe.until_acked(2)
    assert server.get(f"/api/runs/{run}")["samples"] == 2
    wait_until(lambda: server.page("/healthz").status_code, lambda status: status == 200)


def test_a_killed_server_keeps_all_that_it_acknowledged(server: ServerProcess, run: str) -> None:
    """After SIGKILL amid samples, what was acknowledged is there and the stream goes on."""
    with FakeProbe(server, hello(run)) as probe:
        probe.send(
            {"type": "metrics", "seq": 1, "step": 1, "time": time.time(), "values": {"loss": 0.5}}
        )
        number = server.post(
            f"/api/runs/{run}/commands", {"kind": "freeze", "target": "a.*"}
        ).json()["id"]
        probe.report(2, number, "applied", step=1, parameters=[0, 1])
        probe.until_acked(2)
        stop = threading.Event()
        sender = threading.Thread(target=_stream, args=(probe, stop), daemon=True)
        sender.start()
        probe.until_acked(40)
        server.kill()
        stop.set()
        sender.join(20)
        acked = probe.acked
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        stored = probe.welcome["last_seq"]
        assert stored >= acked >= 40
        series = server.get(f"/api/runs/{run}/series", parameter="a.bias", points=10_000)
        assert series["values"] == [float(seq) for seq in range(3, stored + 1)]
        probe.sample(stored + 1, [1, 2])
        probe.until_acked(stored + 1)
    assert server.get(f"/api/runs/{run}")["samples"] == stored - 1
    assert server.get(f"/api/runs/{run}/metrics")["metrics"]["loss"]["values"] == [0.5]
    (command,) = server.get(f"/api/runs/{run}/commands")["commands"]
    assert (command["state"], command["parameters"]) == ("applied", ["a.weight", "a.bias"])
    assert [row["name"] for row in server.get(f"/api/runs/{run}/parameters")["parameters"]] == [
        "a.weight",
        "a.bias",
    ]


def test_a_clean_stop_stores_what_arrived(server: ServerProcess, run: str) -> None:
    """SIGTERM waits for a store that is busy, and ends with exit code 0 when all is in it."""
    with FakeProbe(server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        with connect(f"{server.ws_url}/api/runs/{run}/live") as browser:
            with blocked(server.data):
                probe.sample(2, [3, 4])
                while not isinstance(browser.recv(20), bytes):
                    pass  # The sample has arrived once a browser is shown it.
                codes: list[int] = []
                stopper = threading.Thread(target=lambda: codes.append(server.stop()))
                stopper.start()
                assert probe.until_closed()[0] == 1012
                with pytest.raises(AssertionError, match="the server ends"):
                    wait_for(lambda: codes, 1.0, "the server ends although its store is busy")
            stopper.join(20)
    assert codes == [0]
    server.restart()
    assert server.get(f"/api/runs/{run}")["samples"] == 2


def test_a_run_is_lost_and_live_again(shared_server: ServerProcess, run: str) -> None:
    """A silent probe's run is lost after the time-out, and live when the probe is back."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        assert _status(shared_server, run) == "live"
        wait_for(lambda: _status(shared_server, run) == "lost", 10, "a silent run is lost")
        probe.heartbeat(step=2)
        wait_for(lambda: _status(shared_server, run) == "live", 10, "a heard run is live")
    wait_for(lambda: _status(shared_server, run) == "lost", 10, "a vanished run is lost")
    with FakeProbe(shared_server, hello(run)):
        assert _status(shared_server, run) == "live"


def test_a_live_run_of_an_earlier_server_is_lost(tmp_path: Path, run: str) -> None:
    """A run that was live when the server was killed is lost when its probe does not return."""
    server = ServerProcess(tmp_path / "data", "--lost-after", "4")
    with server:
        with FakeProbe(server, hello(run)):
            server.kill()
        server.restart()
        assert _status(server, run) == "live"
        wait_for(lambda: _status(server, run) == "lost", 30, "the run is lost")


@pytest.mark.parametrize(
    ("more", "status"),
    [({}, "finished"), ({"failed": False}, "finished"), ({"failed": True}, "failed")],
)
def test_bye_ends_a_run_for_good(
    shared_server: ServerProcess, run: str, more: dict[str, bool], status: str
) -> None:
    """After `bye` the run is finished or failed, also when its connection stays open."""
    with FakeProbe(shared_server, hello(run)) as probe:
        asked = shared_server.post(
            f"/api/runs/{run}/commands", {"kind": "freeze", "target": "a.*"}
        ).json()
        probe.bye(step=99, **more)
        probe.heartbeat(step=99)
        wait_for(lambda: _status(shared_server, run) == status)
    row = shared_server.get(f"/api/runs/{run}")
    assert (row["status"], row["step"]) == (status, 99)
    command = shared_server.get(f"/api/runs/{run}/commands/{asked['id']}")
    assert command["state"] == "rejected"
    assert status in command["reason"]
    again = shared_server.post(f"/api/runs/{run}/commands", {"kind": "freeze", "target": "a.*"})
    assert (again.status_code, "has ended" in again.text) == (409, True)


@pytest.mark.parametrize(("failed", "status"), [(False, "finished"), (True, "failed")])
def test_a_hello_that_was_long_on_its_way_begins_no_run_again(
    tmp_path: Path, run: str, status: str, *, failed: bool
) -> None:
    """What ended stays so, to the store and to pages; a goodbye that is sent again is answered."""
    with ServerProcess(tmp_path, "--lost-after", "1") as server:
        with FakeProbe(server, hello(run)) as probe:
            probe.sample(1, [1, 2], step=7)
            probe.bye(step=7, failed=failed)
            wait_for(lambda: _status(server, run) == status)
        before = server.get(f"/api/runs/{run}")
        events = server.get(f"/api/runs/{run}/events")
        late = hello(run, step=3, host="elsewhere")
        with FakeProbe(server, late) as probe:
            assert probe.welcome["last_seq"] == 1
            assert _status(server, run) == status
        with FakeProbe(server, hello("c" * 16)) as other:
            other.heartbeat(step=1)
            wait_for(lambda: _status(server, "c" * 16) == "live")
        wait_for(lambda: _status(server, "c" * 16) == "lost", 30, "whoever was live is lost")
        after = server.get(f"/api/runs/{run}")
        assert {**after, "server_time": 0} == {**before, "server_time": 0}
        with FakeProbe(server, late) as probe:
            probe.bye(step=7, failed=failed)
            while probe.receive()["type"] != "bye":
                pass
        assert _status(server, run) == status
        assert server.get(f"/api/runs/{run}/events") == events


def test_jobs_of_one_name_are_numbered_runs(
    shared_server: ServerProcess, new_name: Callable[[], str]
) -> None:
    """Each keeps its number over a reconnection, and a command by name goes to the live one."""
    name = new_name()
    runs = ["a" * 16, "b" * 16, "c" * 16]
    for run in [*runs, runs[1]]:
        with FakeProbe(shared_server, hello(run, name=name)) as probe:
            probe.bye(1)
            wait_for(lambda run=run: _status(shared_server, run) == "finished")
    with FakeProbe(shared_server, hello(runs[1], name=name)) as probe:
        probe.heartbeat(step=1)
        wait_for(lambda: _status(shared_server, runs[1]) == "live")
        asked = {"kind": "freeze", "target": "a"}
        shared_server.post(f"/api/runs/{name}/commands", asked)
        assert probe.until_command(1)["target"] == "a"
    rows = [shared_server.get(f"/api/runs/{run}") for run in runs]
    assert [(row["name"], row["number"]) for row in rows] == [(name, 1), (name, 2), (name, 3)]
    assert shared_server.get(f"/api/runs/{name}%232")["id"] == runs[1]


def test_a_newer_connection_replaces_the_older(shared_server: ServerProcess, run: str) -> None:
    """The older connection of a run is told so and closed; the newer one goes on."""
    with (
        FakeProbe(shared_server, hello(run)) as older,
        FakeProbe(shared_server, hello(run)) as newer,
    ):
        code, last = older.until_closed()
        assert code == 1008
        assert last is not None
        assert "newer connection" in last["message"]
        assert last["retry"] is True
        newer.sample(1, [1, 2])
        newer.until_acked(1)


def test_heartbeats_and_samples_fill_the_row_of_a_run(
    shared_server: ServerProcess, run: str
) -> None:
    """Everything that a probe says about itself is in `GET /api/runs/{run}`."""
    names = ["w", "x", "y"]
    with FakeProbe(shared_server, hello(run, names, step=4)) as probe:
        first = shared_server.get(f"/api/runs/{run}")
        assert (first["step"], first["samples"], first["states"]) == (4, 0, {})
        probe.heartbeat(step=5, every=3, dropped=2, faults=1)
        probe.sample(1, [1, 1, 1], [PRESENT, ABSENT, FROZEN], step=6)
        probe.sample(2, [1, 1, 1], [PRESENT, NONFINITE, FROZEN], step=7)
        probe.until_acked(2)
    row = shared_server.get(f"/api/runs/{run}")
    assert {name: row[name] for name in ("step", "every", "dropped", "faults", "samples")} == {
        "step": 7,
        "every": 3,
        "dropped": 2,
        "faults": 1,
        "samples": 2,
    }
    assert row["states"] == {"present": 1, "nonfinite": 1, "frozen": 1}
    assert (row["parameters"], row["trainable"], row["numel"]) == (3, 2, 24)
    assert (row["steps_per_second"], row["cost"]) == (12.5, 0.004)
    assert row["sample_step"] == 7


def test_times_are_by_the_servers_clock(shared_server: ServerProcess, run: str) -> None:
    """Whatever clock the job has, ages follow from the row alone."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run, started=1.0)) as probe:
        before = shared_server.get(path)
        probe.sample(1, [1, 1], step=9, at=1.0)
        probe.until_acked(1)
        after = shared_server.get(path)
        probe.send({"type": "metrics", "seq": 2, "step": 30, "time": 1.0, "values": {"a": 1}})
        probe.until_acked(2)
        later = shared_server.get(path)
    assert (before["sample_time"], before["sample_step"]) == (None, None)
    assert before["server_time"] <= after["sample_time"] <= after["server_time"]
    assert (after["sample_step"], after["last_seen"]) == (9, after["sample_time"])
    assert (later["sample_step"], later["sample_time"]) == (9, after["sample_time"])
    assert after["server_time"] <= later["last_seen"] <= later["server_time"]


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_parameters(shared_server: ServerProcess, run: str, count: int) -> None:
    """A model without parameters has a run too, and one with several blocks comes back whole."""
    names = [f"p{place}" for place in range(count)]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        probe.sample(1, [float(place) for place in range(count)])
        probe.until_acked(1)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [(row["name"], row["grad_norm"]) for row in rows] == [
        (name, float(place)) for place, name in enumerate(names)
    ]


def _status(server: ServerProcess, run: str) -> str:
    status: str = server.get(f"/api/runs/{run}")["status"]
    return status


def _stream(probe: FakeProbe, stop: threading.Event) -> None:
    """Send samples as fast as the connection takes them, until it breaks."""
    seq = 3
    while not stop.is_set():
        try:
            probe.send(pack_sample(seq, seq, [PRESENT, PRESENT], {1: [1.0, float(seq)]}))
        except ConnectionClosed:
            return
        seq += 1
        stop.wait(0.001)
