"""The tables beside the samples, as files and together in a zip."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pyarrow
import pytest
from pyarrow import parquet

from gradgate.server.export.tables import BY_NAME
from gradgate.server.protocol.exports import TABLES
from gradgate.server.protocol.version import VERSION
from tests.support.probing import FakeProbe, alert, explanation, gate, hello
from tests.support.serving import ServerProcess

NAME = 'say "a",\nb'


@pytest.fixture
def told(shared_server: ServerProcess, run: str) -> Iterator[FakeProbe]:
    """A probe that told one of everything."""
    with FakeProbe(shared_server, hello(run, [NAME, "b"])) as probe:
        asked = {"kind": "freeze", "target": "b", "by": "browser"}
        assert shared_server.post(f"/api/runs/{run}/commands", asked).status_code == 202
        probe.until_command(1)
        probe.report(1, 1, "applied", step=4, parameters=[1, 0])
        metrics = {"type": "metrics", "seq": 2, "step": 9, "time": 0.1 + 0.2}
        probe.send({**metrics, "values": {"loss": 1 / 3, "bad": None}})
        probe.gates(3, gate())
        probe.explanations(4, 8, explanation(1, "b"), explanation(0, NAME))
        probe.alerts(5, alert(0, NAME), alert(None, None))
        probe.sample(6, [1, 2])
        probe.until_acked(6)
        yield probe


def test_every_table_has_a_name_and_a_place() -> None:
    """The command line and REST offer what there is."""
    assert tuple(BY_NAME) == TABLES


def test_rows_are_those_of_rest(
    told: FakeProbe,
    shared_server: ServerProcess,
    run: str,
    parquet_table: Callable[..., pyarrow.Table],
) -> None:
    """One column a field; what is neither number nor text is JSON."""
    (command,) = parquet_table("commands").to_pylist()
    row = shared_server.get(f"/api/runs/{run}/commands/1")
    assert command | {"times": json.loads(command["times"]), "saved": None} == row
    assert command["parameters"] == ["b", NAME]
    (gated,) = parquet_table("gates").to_pylist()
    assert gated == shared_server.get(f"/api/runs/{run}/gates")["gates"][0]
    (about,) = parquet_table("run").to_pylist()
    assert (about["id"], about["samples"], json.loads(about["states"])) == (run, 1, {"present": 2})
    explained = parquet_table("explanations").to_pylist()
    assert [(each["step"], each["parameter"], each["name"]) for each in explained] == [
        (8, 1, "b"),
        (8, 0, NAME),
    ]
    assert json.loads(explained[0]["source"])["line"] == 41
    alerts = parquet_table("alerts").to_pylist()
    assert [(each["name"], each["cause"]) for each in alerts] == [
        (NAME, "detached"),
        (None, "detached"),
    ]


def test_events_come_oldest_first(
    told: FakeProbe,
    shared_server: ServerProcess,
    run: str,
    parquet_table: Callable[..., pyarrow.Table],
) -> None:
    """As REST has them, and with `from` and `to` those that touch the steps."""
    rows = parquet_table("events").to_pylist()
    assert rows
    assert [row | {"figures": json.loads(row["figures"])} for row in rows][::-1] == (
        shared_server.get(f"/api/runs/{run}/events")["events"]
    )
    early = parquet_table("events", to=6).to_pylist()
    assert [row["id"] for row in early] == [row["id"] for row in rows if row["step"] <= 6]


def test_metrics_are_exact_and_their_gaps_nan(
    told: FakeProbe,
    parquet_table: Callable[..., pyarrow.Table],
    csv_rows: Callable[..., list[dict[str, str]]],
) -> None:
    """By name, with the step and the time at which each was logged."""
    rows = parquet_table("metrics").to_pylist()
    assert [(row["name"], row["step"], row["time"]) for row in rows] == [
        ("bad", 9, 0.1 + 0.2),
        ("loss", 9, 0.1 + 0.2),
    ]
    assert [str(row["value"]) for row in rows] == ["nan", repr(1 / 3)]
    texts = csv_rows("metrics")
    assert [(row["name"], row["value"]) for row in texts] == [("bad", "nan"), ("loss", repr(1 / 3))]


def test_a_target_chooses_what_is_told_of_parameters(
    told: FakeProbe, csv_rows: Callable[..., list[dict[str, str]]]
) -> None:
    """Parameters, explanations and alerts of others are left out; texts come back whole."""
    for table in ("parameters", "explanations", "alerts"):
        assert [row["name"] for row in csv_rows(table, match=NAME)] == [NAME]
    assert len(csv_rows("commands", match="b")) == 1


@pytest.mark.parametrize("wanted", ["parquet", "csv"])
def test_a_zip_has_every_table(
    told: FakeProbe, export: Callable[..., bytes], wanted: str, tmp_path: Path
) -> None:
    """Each as the file that it is by itself."""
    with ZipFile(io.BytesIO(export(format=wanted))) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == [f"{name}.{wanted}" for name in TABLES]
        assert zipped.read(f"samples.{wanted}") == export(format=wanted, table="samples")


def test_parquet_says_where_it_is_from(
    told: FakeProbe, run: str, export: Callable[..., bytes]
) -> None:
    """The run, the version and what was chosen are in the file itself."""
    data = export(format="parquet", table="samples", match="b", to=6)
    metadata = parquet.read_schema(pyarrow.BufferReader(data)).metadata
    assert metadata[b"gradgate.run"].decode() == run
    assert metadata[b"gradgate.version"].decode() == VERSION
    chosen = {"match": "b", "from": None, "to": 6}
    assert json.loads(metadata[b"gradgate.selection"]) == chosen
