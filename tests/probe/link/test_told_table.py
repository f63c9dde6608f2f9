"""The table as it is told: in columns, with a digest that is another for another table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradgate.probe.link.told_table import ToldTable
from gradgate.probe.model.table import TableRow

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
