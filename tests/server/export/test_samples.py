"""The table of samples is what the probe sent, to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow
import pytest

from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import STORED_STATISTICS
from tests.support.probing import NONFINITE, FakeProbe, hello
from tests.support.serving import ServerProcess

from .conftest import COUNT, LATER, Sent

Bits = tuple[bool, int | None]


def bits(value: float | None, *, measured: bool = True) -> int | None:
    """The bits of a number as float32, or None where there is none."""
    if value is None or not measured:
        return None
    return int(np.array(value, np.float32).view(np.uint32))


def expected(sent: Sent) -> dict[tuple[int, str], list[Any]]:
    """What the table has to hold: by step and parameter, the other columns."""
    rows = {}
    for step, time, skipped, states, values in sent:
        for place in range(COUNT + LATER):
            known = place < len(states)
            state = states[place] if known else 0
            figures = []
            for code in STORED_STATISTICS.values():
                value = float(values[code][place]) if known and code in values else math.nan
                told = not math.isnan(value) or (code == 1 and state == NONFINITE)
                figures.append(bits(value, measured=told))
            rows[step, f"layer{place // 10}.p{place}"] = [
                time,
                skipped,
                State(state).label,
                *figures,
            ]
    return rows


def test_parquet_holds_every_sample_to_the_bit(
    sent: Sent, parquet_table: Callable[..., pyarrow.Table]
) -> None:
    """NaN is NaN, what was not measured is null, and states are words."""
    found = parquet_table("samples")
    rows = {
        (row["step"], row["parameter"]): [
            row["time"],
            row["skipped"],
            row["state"],
            *(bits(row[name]) for name in STORED_STATISTICS),
        ]
        for row in found.to_pylist()
    }
    assert len(found) == len(rows)
    assert rows == expected(sent)
    assert found.schema.field("parameter").type == found.schema.field("state").type
    assert pyarrow.types.is_dictionary(found.schema.field("state").type)


def test_csv_reads_back_to_the_same_bits(
    sent: Sent, csv_rows: Callable[..., list[dict[str, str]]]
) -> None:
    """Each number is written so that it is the same float again, and null is nothing."""
    found = csv_rows("samples")
    rows = {
        (int(row["step"]), row["parameter"]): [
            float(row["time"]),
            row["skipped"] == "true",
            row["state"],
            *(bits(float(row[name]) if row[name] else None) for name in STORED_STATISTICS),
        ]
        for row in found
    }
    assert len(found) == len(rows)
    assert rows == expected(sent)


@pytest.mark.parametrize(
    ("query", "steps", "names"),
    [
        ({"from": 21, "to": 24}, [21, 23], COUNT + LATER),
        ({"from": 81}, [81], COUNT + LATER),
        ({"to": 3}, [3], COUNT + LATER),
        ({"match": "layer1", "from": 80}, [81], 10),
        ({"match": "*.p12?", "to": 5}, [3, 5], 10),
        ({"match": "layer16.p165", "to": 4}, [3], 1),
    ],
)
def test_only_what_was_asked_for_is_there(
    sent: Sent,
    parquet_table: Callable[..., pyarrow.Table],
    query: dict[str, Any],
    steps: list[int],
    names: int,
) -> None:
    """Both ends of the range are in it, and a target chooses the parameters."""
    found = parquet_table("samples", **query)
    assert sorted(set(found["step"].to_pylist())) == steps
    assert len(set(found["parameter"].to_pylist())) == names
    assert len(found) == len(steps) * names


def test_a_run_of_several_stretches_is_whole(
    shared_server: ServerProcess, run: str, parquet_table: Callable[..., pyarrow.Table]
) -> None:
    """More samples than are read at a time come in their order, each once."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq in range(1, 2501):
            probe.sample(seq, [seq, -seq])
            if seq in (1, 700, 1500):
                probe.until_acked(seq)
        probe.until_acked(2500)
    found = parquet_table("samples", match="a.weight")
    assert found["step"].to_pylist() == list(range(1, 2501))
    assert found["grad_norm"].to_pylist() == list(range(1, 2501))
    part = parquet_table("samples", match="a.bias", **{"from": 1030, "to": 2060})
    assert part["step"].to_pylist() == list(range(1030, 2061))


def test_a_run_without_samples_has_a_table_without_rows(
    shared_server: ServerProcess,
    run: str,
    parquet_table: Callable[..., pyarrow.Table],
    csv_rows: Callable[..., list[dict[str, str]]],
) -> None:
    """Its columns are there."""
    with FakeProbe(shared_server, hello(run)):
        found = parquet_table("samples")
        assert (len(found), found.column_names[0]) == (0, "step")
        assert csv_rows("samples") == []
