"""The metrics of a real server, as Prometheus reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gradgate.server.protocol.version import VERSION
from tests.support.probing import PRESENT, FakeProbe, alert, hello, pack_sample
from tests.support.serving import ServerProcess
from tests.support.storing import behind, blocked
from tests.support.waiting import wait_for

RUN = "a" * 16
SECRET = "0123456789-abcdefghij"
FREEZE = {"kind": "freeze", "target": "a.*"}

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(server: ServerProcess, **options: object) -> Series:
    """Each series with its labels, and its value."""
    answer = httpx.get(f"{server.url}/metrics", **options)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    """The value of a series."""
    return series[f"gradgate_{name}", frozenset(labels.items())]


def test_the_figures_are_those_of_what_was_sent(server: ServerProcess) -> None:
    """Samples, bytes, sockets, commands and refusals; a frame that comes twice counts once."""
    frames = [pack_sample(seq, seq, [PRESENT] * 2, {1: [1.0, 2.0]}) for seq in range(1, 21)]
    metric = json.dumps({"type": "metrics", "seq": 21, "step": 20, "time": 1.0, "values": {}})
    live = f"{server.ws_url}/api/runs/{RUN}/live"
    with FakeProbe(server, hello(RUN)) as probe, connect(live) as page:
        page.recv(20)
        for frame in (*frames, frames[-1], metric):
            probe.send(frame)
        probe.until_acked(21)
        assert server.post(f"/api/runs/{RUN}/commands", FREEZE).status_code == 202
        with pytest.raises(InvalidStatus):
            connect(live, origin="http://elsewhere.example")  # type: ignore[arg-type]
        assert server.page("/api/runs/nothing").status_code == 404
        found = scrape(server)
    assert value(found, "ingested_samples_total") == 20
    assert value(found, "ingested_frames_total") == 21
    assert value(found, "ingested_bytes_total") == sum(map(len, frames)) + len(metric)
    assert value(found, "connections", peer="job") == value(found, "connections", peer="page") == 1
    assert value(found, "runs", status="live") == 1
    assert value(found, "runs", status="lost") == value(found, "open_alerts") == 0
    assert value(found, "commands", state="requested") == 1
    assert value(found, "refused_sockets_total", reason="unknown_origin") == 1
    assert value(found, "http_answers_total", status="404") == 1
    assert value(found, "http_answers_total", status="202") == 1
    assert value(found, "store_write_seconds_count") >= 2
    assert 0 < value(found, "store_write_seconds_sum") < 20
    assert value(found, "write_queue_entries") == value(found, "write_queue_bytes") == 0
    assert value(found, "store_failing") == 0
    assert value(found, "store_bytes") > 50_000
    build = [dict(labels) for name, labels in found if name == "gradgate_build_info"]
    assert [each["version"] for each in build] == [VERSION]
    assert found["process_resident_memory_bytes", frozenset()] > 1e7


def test_no_series_is_of_a_run_or_a_caller(server: ServerProcess) -> None:
    """Ten runs, unknown addresses and hostile names make no more series than one run."""

    def use(run: str, name: str) -> None:
        with FakeProbe(server, hello(run, [name], name=name)) as probe:
            probe.sample(1, [1.0])
            probe.alerts(2, alert(0, name))
            probe.until_acked(2)
        assert server.page(f"/api/runs/no-{name}").status_code == 404
        with pytest.raises(InvalidStatus):
            connect(f"{server.ws_url}/api/ingest", origin=f"http://{name}.example")  # type: ignore[arg-type]

    use(RUN, "first")
    scrape(server)
    before = scrape(server)
    for number in range(10):
        use(f"{number:016x}", f"other-{number}")
    after = scrape(server)
    assert set(after) == set(before)
    assert len(after) < 150


def test_who_may_scrape(tmp_path: Path) -> None:
    """A view token, and neither nobody, who is told by a sentence, nor a job's."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"prometheus view {SECRET}v\njobs probe {SECRET}p\n")
    tokens.chmod(0o600)
    with ServerProcess(tmp_path / "data", "--token-file", str(tokens)) as server:
        nobody = server.page("/metrics")
        assert (nobody.status_code, list(nobody.json())) == (401, ["detail"])
        jobs = server.page("/metrics", headers={"Authorization": f"Bearer {SECRET}p"})
        assert jobs.status_code == 403
        found = scrape(server, headers={"Authorization": f"Bearer {SECRET}v"})
        assert value(found, "http_answers_total", status="401") == 1


@pytest.mark.sqlite
def test_a_scrape_writes_nothing(server: ServerProcess) -> None:
    """SQLite's own count of what others committed stays as it was."""
    with behind(server.data) as store:
        count = "PRAGMA data_version"
        before = store.exec_driver_sql(count).scalar_one()
        for _ in range(3):
            scrape(server)
        assert store.exec_driver_sql(count).scalar_one() == before


def test_a_store_that_cannot_be_written_is_told(server: ServerProcess) -> None:
    """By `store_failing`, and by what waits; all else is there as before."""
    with FakeProbe(server, hello(RUN)) as probe, blocked(server.data):
        probe.sample(1, [1.0, 2.0])
        found = wait_for(lambda: value(scrape(server), "store_failing") and scrape(server), 20)
        assert isinstance(found, dict)
        assert value(found, "write_queue_bytes") > 0
        assert value(found, "store_write_failures_total") >= 1
        assert value(found, "ingested_samples_total") == 1
