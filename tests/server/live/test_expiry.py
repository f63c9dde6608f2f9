"""Commands to a job that does not come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

FREEZE = {"kind": "freeze", "target": "a.*"}
OPTIONS = ("--lost-after", "1", "--expire-after", "1")


def test_a_command_to_a_job_that_stays_away_expires(tmp_path: Path, run: str) -> None:
    """It says so, whether it was asked for before the run was lost or after; nobody is sent it."""
    path = f"/api/runs/{run}"

    def commands() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = server.get(f"{path}/commands")["commands"]
        return found

    with ServerProcess(tmp_path / "data", *OPTIONS) as server:
        with FakeProbe(server, hello(run)):
            assert server.post(f"{path}/commands", FREEZE).status_code == 202
        wait_until(lambda: server.get(path)["status"], lambda status: status == "lost", 20)
        assert server.post(f"{path}/commands", FREEZE).status_code == 202
        rows = wait_until(commands, lambda rows: {row["state"] for row in rows} == {"rejected"}, 20)
        assert len(rows) == 2
        assert all("Nothing was heard of the job" in row["reason"] for row in rows)
        with FakeProbe(server, hello(run)) as probe:
            probe.heartbeat(3)
            third = server.post(f"{path}/commands", FREEZE).json()["id"]
            assert probe.until_command(third)["id"] == third
            assert [each["id"] for each in probe.commands] == [third]
