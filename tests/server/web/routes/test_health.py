"""The health of a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.damaging import PARAMETERS, SAMPLES, damage_marked, store_runs
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import STORE


def test_health(shared_server: ServerProcess) -> None:
    """`/healthz` says that the store can be written, and when it last was."""
    health = shared_server.get("/healthz")
    assert health["status"] == "ok"
    assert health["store"]["kind"] == os.environ.get(STORE, "sqlite")
    assert health["store"]["last_commit"] is not None


@pytest.mark.sqlite
def test_damage_is_told_and_hits_no_other_run(tmp_path: Path) -> None:
    """`/healthz` says from the start what to do; the job of another run goes on."""
    sound, damaged = "a" * 16, "b" * 16
    damage_marked(store_runs(tmp_path, [sound, damaged], marked=damaged))
    names = [f"p{i}" for i in range(PARAMETERS)]
    with ServerProcess(tmp_path) as server:
        answer = server.page("/healthz")
        assert answer.status_code == 503
        assert "is damaged (" in answer.json()["store"]["error"]
        assert "--salvage" in answer.json()["store"]["error"]
        assert [row["id"] for row in server.get("/api/runs")["runs"]] == [sound]
        with FakeProbe(server, hello(sound, names, name=sound)) as probe:
            assert probe.welcome["last_seq"] == SAMPLES
            probe.sample(SAMPLES + 1, [1.0] * PARAMETERS)
            probe.until_acked(SAMPLES + 1)
        with FakeProbe(server, hello(damaged, names, name=damaged)) as probe:
            assert probe.welcome["type"] == "error"
            assert probe.welcome["retry"] is True
        assert len(server.get(f"/api/runs/{sound}/parameters")["parameters"]) == PARAMETERS
        assert server.page(f"/api/runs/{damaged}").status_code == 503
    assert "is damaged (" in server.output
