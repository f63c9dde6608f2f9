"""Commands over REST and back from the probe."""

from __future__ import annotations

import json

import httpx
import pytest
from sqlalchemy import Connection, update

from gradgate.server.protocol.commands.change import CommandRequest
from gradgate.server.protocol.probe_messages import Report
from gradgate.server.store import ledger
from gradgate.server.store.runs import lose
from gradgate.server.store.tables import commands
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

FREEZE = {"kind": "freeze", "target": "a.*", "mode": "grad", "by": "browser"}
SAVED = {
    "backward_before": 0.0123,
    "backward_after": 0.0073,
    "steps": 20,
    "gradient_bytes": 210_000_000,
    "memory_before": None,
    "memory_after": None,
    "spread_before": 0.0008,
    "spread_after": None,
    "measurable": True,
}


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
            "hold_stats": False,
            "reset_state": False,
            "limit": None,
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


@pytest.mark.parametrize(
    ("name", "value"), [("reason", "it took long"), ("detail", "2 of 2"), ("saved", SAVED)]
)
def test_a_second_report_of_a_state_brings_news(
    shared_server: ServerProcess, run: str, name: str, value: object
) -> None:
    """Its reason, detail or saving is entered beside the rest; one without any changes nothing."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(path, FREEZE).json()["id"]
        probe.report(1, number, "verified", step=5, parameters=[0])
        probe.until_acked(1)
        first = shared_server.get(f"{path}/{number}")
        probe.report(2, number, "verified", step=9)
        probe.report(3, number, "verified", **{name: value})
        probe.until_acked(3)
    assert first[name] is None
    assert shared_server.get(f"{path}/{number}") == {**first, name: value}


def test_why_a_command_waits_is_told_until_it_is_applied(
    shared_server: ServerProcess, run: str
) -> None:
    """It is not delivered a second time, and not waiting any more once it was."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        asked = shared_server.post(path, {"kind": "freeze", "target": "a"}).json()["id"]
        probe.report(1, asked, "delivered")
        probe.report(2, asked, "delivered", detail="no step was seen")
        probe.until_acked(2)
        row = shared_server.get(f"{path}/{asked}")
        assert (row["state"], row["detail"]) == ("delivered", "no step was seen")
        probe.report(3, asked, "applied", step=1, parameters=[0])
        probe.until_acked(3)
        assert shared_server.get(f"{path}/{asked}")["detail"] is None


def test_a_freeze_that_was_verified_can_drift(shared_server: ServerProcess, run: str) -> None:
    """A drift is entered with its reason and time, and nothing follows it but news."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(path, FREEZE).json()["id"]
        probe.report(1, number, "verified", step=5, parameters=[0])
        probe.report(2, number, "drifted", step=8, reason="a.weight was moved by SGD", time=3.5)
        probe.report(3, number, "verified", detail="2 of 2 unchanged")
        probe.until_acked(3)
    command = shared_server.get(f"{path}/{number}")
    assert (command["state"], command["step"]) == ("drifted", 8)
    assert (command["reason"], command["detail"]) == ("a.weight was moved by SGD", None)
    assert list(command["times"]) == ["requested", "verified", "drifted"]
    assert command["times"]["drifted"] == 3.5


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "freeze", "target": "a", "mode": "no_grad", "hold_stats": True},
        {"kind": "thaw", "target": "a", "reset_state": True},
        {
            "kind": "freeze",
            "target": "a",
            "limit": {"steps": None, "seconds": 60.0, "while_watched": True},
        },
    ],
)
def test_the_options_of_a_command_cross(
    server: ServerProcess, run: str, asked: dict[str, object]
) -> None:
    """They are in the answer, the log, and the command as sent at once and after a restart."""
    path = f"/api/runs/{run}/commands"
    options = {"mode": "grad", "hold_stats": False, "reset_state": False, "limit": None, **asked}
    with FakeProbe(server, hello(run)) as probe:
        row = server.post(path, asked).json()
        assert {name: row[name] for name in options} == options
        command = probe.until_command(1)
        assert command == {"type": "command", "id": 1, "by": "api", **options}
    server.kill()
    server.restart()
    assert server.get(f"{path}/1") == row
    with FakeProbe(server, hello(run)) as probe:
        assert probe.until_command(1) == command


def test_the_options_of_a_command_made_in_python(shared_server: ServerProcess, run: str) -> None:
    """They come with its reports; from a probe that does not tell them they are the usual ones."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        freeze = {"kind": "freeze", "target": "a", "mode": "no_grad", "hold_stats": True}
        thaw = {"kind": "thaw", "target": "a", "mode": "grad", "reset_state": True}
        probe.report(1, None, "applied", local=1, saved=SAVED, **freeze)
        probe.report(2, None, "applied", local=2, **thaw)
        probe.report(3, None, "applied", local=3, kind="thaw", target="a")
        probe.until_acked(3)
    rows = shared_server.get(path)["commands"][::-1]
    options = [(row["mode"], row["hold_stats"], row["reset_state"]) for row in rows]
    assert options == [("no_grad", True, False), ("grad", False, True), ("grad", False, False)]
    assert [row["saved"] for row in rows] == [SAVED, None, None]


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
    """A run whose probe is gone takes commands, and says that nothing is heard; the probe gets
    them when it is back."""
    path = f"/api/runs/{run}"

    def told() -> set[tuple[str, str | None]]:
        rows = shared_server.get(f"{path}/commands")["commands"]
        return {(row["state"], row["detail"]) for row in rows}

    with FakeProbe(shared_server, hello(run)) as probe:
        first = shared_server.post(f"{path}/commands", FREEZE).json()["id"]
        probe.report(1, first, "delivered")
        probe.until_acked(1)
    wait_for(lambda: shared_server.get(path)["status"] == "lost", 10, "the run is lost")
    silent = "nothing is heard of the job any more; it is applied if the job comes back"
    assert told() == {("delivered", silent)}
    number = shared_server.post(f"{path}/commands", FREEZE).json()["id"]
    assert told() == {("delivered", silent), ("requested", silent)}
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.until_command(number)["target"] == "a.*"
        assert told() == {("delivered", None), ("requested", None)}


def test_a_command_waits_no_more_for_a_job_that_is_heard_again(
    shared_server: ServerProcess, run: str
) -> None:
    """Over the connection that it has kept, too, as after a pause of its machine."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)) as probe:
        number = shared_server.post(f"{path}/commands", FREEZE).json()["id"]
        wait_for(lambda: shared_server.get(path)["status"] == "lost", 10, "the run is lost")
        assert shared_server.get(f"{path}/commands/{number}")["detail"] is not None
        probe.heartbeat(step=2)
        wait_for(lambda: shared_server.get(path)["status"] == "live", 10, "it is heard")
        assert shared_server.get(f"{path}/commands/{number}")["detail"] is None


def test_a_finished_run_takes_no_command(shared_server: ServerProcess, run: str) -> None:
    """The answer is a 409 that says what to do, and nothing is stored."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.bye()
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    answer = shared_server.post(f"/api/runs/{run}/commands", FREEZE)
    assert answer.status_code == 409
    assert "has ended" in answer.json()["detail"]
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
        {"hold_stats": "perhaps"},
        {"saved": None},
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


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"kind": "thaw", "hold_stats": True}, "`hold_stats` is for a freeze"),
        ({"kind": "thaw", "mode": "no_grad"}, "`mode` is for a freeze"),
        ({"kind": "freeze", "reset_state": True}, "`reset_state` is for a thaw"),
    ],
)
def test_an_option_of_the_other_kind_is_a_422(
    shared_server: ServerProcess, run: str, asked: dict[str, object], sentence: str
) -> None:
    """The sentence says which kind has the option, for a command and for its preview."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)):
        for answer in (
            shared_server.post(f"{path}/commands", {"target": "a", **asked}),
            shared_server.page(f"{path}/preview", params={"target": "a", **asked}),
        ):
            assert answer.status_code == 422
            (fault,) = answer.json()["detail"]
            assert sentence in fault["msg"]
            assert "leave it out" in fault["msg"]
        assert shared_server.get(f"{path}/commands")["commands"] == []


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


def asked(connection: Connection, run: str, target: str) -> int:
    """Ask for a freeze, and return its id."""
    return ledger.request(connection, run, CommandRequest(kind="freeze", target=target), 2.0).id


def spoil(connection: Connection, run: str, number: int, **columns: object) -> None:
    """Write into a command what no version of this server would."""
    chosen = (commands.c.run == run) & (commands.c.id == number)
    connection.execute(update(commands).where(chosen).values(**columns))


@pytest.mark.parametrize("columns", [{"kind": "melt"}, {"mode": "sideways"}, {"target": ""}])
def test_a_command_that_cannot_be_read_keeps_no_other_from_the_job(
    connection: Connection, opened: str, columns: dict[str, object]
) -> None:
    """It is rejected with a sentence, and those around it are sent."""
    numbers = [asked(connection, opened, target) for target in ("a", "b", "c")]
    spoil(connection, opened, 2, **columns)
    sent, rejected = ledger.unapplied(connection, opened, 9.0)
    assert ([command.id for command in sent], rejected) == ([1, 3], [2])
    assert numbers == [1, 2, 3]
    (row,) = ledger.command_rows(connection, opened, 1, {2})
    assert (row.state, row.times["rejected"]) == ("rejected", 9.0)
    assert "cannot read what is stored of this command" in str(row.reason)
    sent, rejected = ledger.unapplied(connection, opened, 9.5)
    assert ([command.id for command in sent], rejected) == ([1, 3], [])


@pytest.mark.parametrize(("now", "age"), [(9.0, 8.0), (0.5, 0.0)], ids=["later", "set back"])
def test_a_command_that_waits_grows_old(
    connection: Connection, opened: str, now: float, age: float
) -> None:
    """By the server's own clock, and never below nothing where that was set back."""
    asked(connection, opened, "a")
    spoil(connection, opened, 1, requested=1.0)
    (sent,), _ = ledger.unapplied(connection, opened, now)
    assert sent.age == age


def test_an_entry_that_cannot_be_read_hides_no_other(
    connection: Connection, opened: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the run has the others, and that of the server names it."""
    for target in ("a", "b", "c"):
        asked(connection, opened, target)
    spoil(connection, opened, 2, state="melted")
    assert [row.id for row in ledger.command_rows(connection, opened, 10)] == [3, 1]
    assert f"command 2 of run {opened} cannot be read" in caplog.text


def test_what_waits_too_long_for_a_lost_run_comes_to_an_end(
    connection: Connection, opened: str
) -> None:
    """What its job never took, and never while the job is there: that decides by itself."""
    for target in ("old", "taken", "new"):
        asked(connection, opened, target)
    spoil(connection, opened, 2, state="delivered")
    spoil(connection, opened, 3, requested=8.0)
    assert ledger.lost_with_commands(connection, 5.0) == []
    assert ledger.expire_unapplied(connection, opened, 5.0, 9.0) == []
    lose(connection, opened)
    ledger.delay_unapplied(connection, opened)
    assert ledger.lost_with_commands(connection, 1.0) == []
    assert ledger.lost_with_commands(connection, 5.0) == [opened]
    assert ledger.expire_unapplied(connection, opened, 5.0, 9.0) == [1]
    assert ledger.lost_with_commands(connection, 5.0) == []
    new, taken, old = ledger.command_rows(connection, opened, 3)
    assert (old.state, old.reason, old.detail) == ("rejected", ledger.EXPIRED, None)
    assert old.times == {"requested": 2.0, "rejected": 9.0}
    assert [new.state, taken.state] == ["requested", "delivered"]
    sent, _ = ledger.unapplied(connection, opened, 9.0)
    assert [each.id for each in sent] == [2, 3]


@pytest.mark.parametrize("state", ["delivered", "applied", "verified", "rejected"])
def test_the_word_of_a_job_that_had_taken_a_command_counts(
    state: str, connection: Connection, opened: str
) -> None:
    """What it left on disk may come after the server took the command for one that expired."""
    asked(connection, opened, "a")
    lose(connection, opened)
    ledger.expire_unapplied(connection, opened, 5.0, 9.0)
    reason = "of its own" if state == "rejected" else None
    told = {"type": "report", "seq": 1, "id": 1, "state": state, "time": 3.0, "reason": reason}
    assert ledger.record_report(connection, opened, Report.model_validate_json(json.dumps(told)))
    (row,) = ledger.command_rows(connection, opened, 1)
    assert (row.state, row.reason) == (state, reason)
    assert row.times == {"requested": 2.0, state: 3.0}


def test_the_ids_of_a_run_are_its_own(connection: Connection, opened: str) -> None:
    """They rise by one, whatever became of those before."""
    assert [asked(connection, opened, target) for target in ("a", "b")] == [1, 2]
    assert ledger.reject_unapplied(connection, opened, "over", 3.0) == [1, 2]
    assert ledger.unapplied(connection, opened, 4.0) == ([], [])
    assert asked(connection, opened, "c") == 3
