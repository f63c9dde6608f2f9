"""The table as it is told: in columns, with a digest that is another for another table."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import pytest

from gradgate.probe.link.frames import encode_json
from gradgate.probe.link.told_table import ToldTable
from gradgate.probe.model.table import TableRow
from gradgate.server.protocol.parameter_table import TableColumns

ROW = TableRow(["a", "b"], "", [4, 2], 8, "float32", "cpu", True, True)
OTHER = replace(ROW, names=["m.c"], module="m")


def digest(*rows: TableRow) -> str:
    """The digest of a table."""
    told: str = ToldTable().fields(rows)["digest"]
    return told


def test_what_parameters_have_in_common_is_told_once() -> None:
    """Modules and kinds are lists, and each parameter names its own by their places."""
    third = replace(OTHER, names=["m.d"], requires_grad=False)
    columns = ToldTable().fields([ROW, OTHER, third])["columns"]
    assert columns["names"] == ["a", "m.c", "m.d"]
    assert columns["tied"] == [(0, ["b"])]
    assert (columns["modules"], columns["module"]) == (["", "m"], [0, 1, 1])
    assert columns["kind"] == [0, 0, 1]
    assert [kind["requires_grad"] for kind in columns["kinds"]] == [True, False]
    assert columns["kinds"][0]["shape"] == [4, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["a"]},
        {"names": ["b", "a"]},
        {"module": "m"},
        {"shape": [2, 4]},
        {"dtype": "float16"},
        {"device": "cuda:0"},
        {"in_optimizer": False},
        {"requires_grad": False},
        {"removed": True},
    ],
)
def test_any_change_makes_another_digest(change: dict[str, Any]) -> None:
    """A server that knows a table by its digest knows all of it."""
    assert digest(ROW, OTHER) == digest(replace(ROW), OTHER)
    assert digest(ROW, OTHER) != digest(replace(ROW, **change), OTHER)
    assert digest(ROW, OTHER) != digest(OTHER, ROW)


def test_a_table_is_made_once() -> None:
    """Until the rows are others: a reconnection does not go through them again."""
    told, rows = ToldTable(), [ROW]
    assert told.fields(rows) is told.fields(rows)
    assert told.fields([OTHER])["columns"]["names"] == ["m.c"]


LONG = "encoder." * 100
ODD = [
    ["\0"],
    ["a\0b", "a?b"],
    ["\udc80.weight"],
    ["\udc81.weight"],
    ["?.weight"],
    [f"{LONG}weight"],
    [f"other.{LONG}weight"],
    [f"{LONG}bias"],
    [f"{LONG}weight (removed at step 7)"],
    ["shared.0", *(f"shared.{i}" for i in range(1, 1000))],
    ["x" * 512],
    ["plain.weight"],
]


def test_a_server_takes_a_table_of_any_names() -> None:
    """Each is told, no two alike, and what can be told as it is stays so."""
    rows = [replace(ROW, names=names, module=names[0].rpartition(".")[0]) for names in ODD]
    told = TableColumns.model_validate_json(encode_json(ToldTable().fields(rows)["columns"]))
    names = told.names
    assert len(set(names)) == len(ODD)
    marked = [re.fullmatch("(.*) #[0-9a-f]{8}", name) for name in names[:4]]
    assert [found and found[1] for found in marked] == ["?", "a?b", "?.weight", "?.weight"]
    assert all(len(name) == 512 and name[0] == "…" for name in names[5:9])
    ends = ("r.encoder.weight", "r.encoder.weight", "r.bias", "r.weight (removed at step 7)")
    assert [name[:-10].endswith(end) for name, end in zip(names[5:9], ends, strict=True)] == [
        True
    ] * 4
    assert [names[4], *names[9:]] == ["?.weight", "shared.0", "x" * 512, "plain.weight"]
    assert told.tied == [(1, ["a?b"]), (9, [f"shared.{i}" for i in range(1, 256)])]
    assert len(set(told.modules)) == len({row.module for row in rows})


def test_names_that_are_told_otherwise_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """In the job's log, by a sentence; a table whose names are plain says nothing."""
    caplog.set_level(logging.WARNING, "gradgate")
    told = ToldTable()
    told.fields([ROW, OTHER])
    assert caplog.messages == []
    for _ in range(2):
        told.fields([replace(ROW, names=["a\0b"])])
    (message,) = caplog.messages
    assert re.search(r"the dashboard calls the parameter 'a\\x00b' 'a\?b #[0-9a-f]{8}'", message)


def test_a_name_is_told_the_same_whatever_other_names_there_are() -> None:
    """A server takes a parameter of another name and size for another one, and refuses the run."""

    def told(*names: str) -> list[str]:
        rows = [replace(ROW, names=[name]) for name in names]
        names_told: list[str] = ToldTable().fields(rows)["columns"]["names"]
        return names_told

    first = told("a\0b", "a\ud800b")
    assert told("a\0b", "a?b", "a\ud800b")[::2] == first
    assert told("a\ud800b") == first[1:]
