"""Commands over REST and back from the probe."""

from __future__ import annotations

import httpx
import pytest

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

FREEZE = {"kind": "freeze", "target": "a.*", "mode": "grad", "by": "browser"}


def test_a_command_goes_its_way(shared_server: ServerProcess, run: str) -> None:
    """Requested by REST, pushed to the probe, and moved on by each report with its time."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = shared_server.post(path, FREEZE)
        assert answer.status_code == 202
        asked = answer.json()
        assert (asked["state"], asked["by"], asked["parameters"]) == ("requested", "browser", [])
        assert probe.until_command(asked["id"]) == {
            "type": "command",
            "id": asked["id"],
            **FREEZE,
        }
        probe.report(1, asked["id"], "delivered")
        probe.report(2, asked["id"], "applied", step=31, parameters=[1, 0])
        probe.report(3, asked["id"], "verified", detail="2 of 2 unchanged")
        probe.until_acked(3)
    done = shared_server.get(f"{path}/{asked['id']}")
    assert (done["state"], done["step"]) == ("verified", 31)
    assert done["parameters"] == ["a.bias", "a.weight"]
    assert done["detail"] == "2 of 2 unchanged"
    assert list(done["times"]) == ["requested", "delivered", "applied", "verified"]
    assert done["times"]["requested"] == done["requested"] == asked["requested"]


def test_a_rejection_has_its_reason(shared_server: ServerProcess, run: str) -> None:
    """What the probe says about a command that it cannot do is in the ledger."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(path, FREEZE).json()["id"]
        probe.report(1, number, "rejected", reason="'a.*' matches nothing")
        probe.until_acked(1)
    command = shared_server.get(f"{path}/{number}")
    assert (command["state"], command["reason"]) == ("rejected", "'a.*' matches nothing")


def test_a_long_list_of_parameters_is_cut_in_the_log(
    shared_server: ServerProcess, run: str
) -> None:
    """The log has the first 20 names and their number; the command itself has all."""
    path = f"/api/runs/{run}/commands"
    names = [f"p{place}" for place in range(50)]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        asked = shared_server.post(path, FREEZE).json()
        probe.report(1, asked["id"], "applied", step=1, parameters=list(range(2, 50)))
        probe.until_acked(1)
    (row,) = shared_server.get(path)["commands"]
    assert (row["count"], row["parameters"]) == (48, names[2:22])
    assert shared_server.get(f"{path}/{asked['id']}") == {**row, "parameters": names[2:]}
    assert asked["count"] == 0


def test_a_late_report_changes_nothing(shared_server: ServerProcess, run: str) -> None:
    """A report that would lead back is ignored, and so is one of a command nobody knows."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(path, FREEZE).json()["id"]
        probe.report(1, number, "verified", step=5)
        probe.report(2, number, "delivered", step=6)
        probe.report(3, number, "rejected", reason="too late")
        probe.report(4, number + 100, "applied")
        probe.until_acked(4)
    (command,) = shared_server.get(path)["commands"]
    assert (command["state"], command["step"], command["reason"]) == ("verified", 5, None)
    assert list(command["times"]) == ["requested", "verified"]


def test_an_applied_command_can_be_found_not_to_hold(
    shared_server: ServerProcess, run: str
) -> None:
    """A second report of the same state brings its reason, and keeps the time of the first."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(path, FREEZE).json()["id"]
        probe.report(1, number, "applied", step=5, parameters=[0])
        probe.until_acked(1)
        first = shared_server.get(f"{path}/{number}")
        probe.report(2, number, "applied", step=5, reason="not verified: a.weight changed")
        probe.until_acked(2)
    second = shared_server.get(f"{path}/{number}")
    assert (first["reason"], second["reason"]) == (None, "not verified: a.weight changed")
    assert second["times"] == first["times"]
    assert second["parameters"] == ["a.weight"]


def test_commands_that_were_not_applied_are_sent_again(server: ServerProcess, run: str) -> None:
    """After a killed server the probe gets, in order, the commands that it did not apply."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(server, hello(run)) as probe:
        for _ in range(4):
            server.post(path, FREEZE)
        probe.report(1, 1, "applied", step=3)
        probe.report(2, 2, "delivered")
        probe.report(3, 3, "rejected", reason="no")
        probe.until_acked(3)
    assert server.post(path, {"kind": "thaw", "target": "a.bias"}).json()["id"] == 5
    server.kill()
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        probe.until_command(5)
        assert [command["id"] for command in probe.commands] == [2, 4, 5]
        assert probe.commands[-1]["kind"] == "thaw"


def test_a_command_made_in_python_enters_the_ledger_once(
    shared_server: ServerProcess, run: str
) -> None:
    """The first report with a `local` number takes the next id; later ones move it on."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        shared_server.post(path, FREEZE)
        made = {"local": 1, "kind": "thaw", "target": "a.bias"}
        probe.report(1, None, "applied", step=8, parameters=[1], **made)
        probe.report(2, None, "verified", **made)
        probe.report(3, None, "applied", step=9, **{**made, "local": 2, "kind": "freeze"})
        probe.report(4, None, "delivered", **{**made, "local": 3})
        probe.until_acked(4)
    waiting, later, first, asked = shared_server.get(path)["commands"]
    assert [row["id"] for row in (asked, first, later)] == [1, 2, 3]
    assert (first["kind"], first["target"], first["by"]) == ("thaw", "a.bias", "python")
    assert (first["state"], first["step"], first["parameters"]) == ("verified", 8, ["a.bias"])
    assert (later["kind"], later["state"]) == ("freeze", "applied")
    assert (waiting["id"], waiting["state"]) == (4, "delivered")
    shared_server.post(path, FREEZE)
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.until_command(5)
        assert [command["id"] for command in probe.commands] == [1, 5]


def test_the_log_is_newest_first_and_limited(shared_server: ServerProcess, run: str) -> None:
    """`limit` cuts the audit log at its old end."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)):
        for _ in range(3):
            shared_server.post(path, FREEZE)
        rows = shared_server.get(path, limit=2)["commands"]
    assert [row["id"] for row in rows] == [3, 2]


def test_a_command_to_a_lost_run_waits(shared_server: ServerProcess, run: str) -> None:
    """A run whose probe is gone takes commands; the probe gets them when it is back."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)):
        pass
    wait_for(lambda: shared_server.get(path)["status"] == "lost", 10, "the run is lost")
    number = shared_server.post(f"{path}/commands", FREEZE).json()["id"]
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.until_command(number)["target"] == "a.*"


def test_a_finished_run_takes_no_command(shared_server: ServerProcess, run: str) -> None:
    """The answer is a 409 that says what to do, and nothing is stored."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.bye()
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    answer = shared_server.post(f"/api/runs/{run}/commands", FREEZE)
    assert answer.status_code == 409
    assert "has finished" in answer.json()["detail"]
    assert "start the job again" in answer.json()["detail"]
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "explode"},
        {"target": ""},
        {"target": "x" * 513},
        {"target": "a\0b"},
        {"mode": "sideways"},
        {"surprise": 1},
    ],
)
def test_a_wrong_command_is_a_422(
    shared_server: ServerProcess, run: str, change: dict[str, object]
) -> None:
    """A command that is not one of the protocol's is refused before anything is stored."""
    with FakeProbe(shared_server, hello(run)):
        answer = shared_server.post(f"/api/runs/{run}/commands", {**FREEZE, **change})
        assert answer.status_code == 422
        assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_unknown_runs_and_commands(shared_server: ServerProcess, run: str) -> None:
    """A command to an unknown run, and a command that does not exist, are 404s with a sentence."""
    answer = shared_server.post("/api/runs/nosuchrun/commands", FREEZE)
    assert answer.status_code == 404
    assert "no run 'nosuchrun'" in answer.json()["detail"]
    with FakeProbe(shared_server, hello(run)):
        answer = httpx.get(f"{shared_server.url}/api/runs/{run}/commands/9")
        assert answer.status_code == 404
        assert "has no command 9" in answer.json()["detail"]
        answer = httpx.get(f"{shared_server.url}/api/runs/{run}/commands/{2**70}")
        assert answer.status_code == 422
