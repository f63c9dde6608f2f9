"""A parameter table that grows in mid-run: new rows are new, and no other row ever shifts."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import Connection
from websockets.sync.client import connect

from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.parameter_table import BLOCK, Parameter, Table, table_of
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.parameter_table import (
    check_positions,
    check_table,
    names_at,
    read_table,
    save_table,
    table_summary,
)
from gradgate.server.store.parameters import parameter_rows
from gradgate.server.store.refusals import Refusal
from gradgate.server.store.runs import open_run
from tests.support.probing import FakeProbe, hello, table_row
from tests.support.serving import ServerProcess

PRESENT, UNMEASURED = 1, 0
GONE = "a (replaced at step 3)"


def grow(probe: FakeProbe, seq: int, rows: list[dict[str, Any]]) -> None:
    """Send a larger table."""
    probe.send({"type": "parameters", "seq": seq, "parameters": rows})


def names_up_to(count: int) -> list[str]:
    """Names of so many parameters."""
    return [f"p{place}" for place in range(count)]


def table(*rows: tuple[str, int]) -> Table:
    """A table of names and sizes."""
    return table_of(
        [Parameter.model_validate(table_row(name, numel=numel)) for name, numel in rows]
    )


def test_a_table_never_shrinks() -> None:
    """What is known has its place for good."""
    known = table(("a", 8), ("b", 8))
    check_table(known, table(("a", 8), ("b", 8)))
    with pytest.raises(Refusal, match="shrank from 2 to 1 rows"):
        check_table(known, table(("a", 8)))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (("a", 8), ("a", 9), True),
        (("a", 8), ("b", 8), True),
        (("a", 0), ("b", 9), True),
        (("a", 8), ("b", 9), False),
        (("a", 8), ("b", 0), False),
    ],
)
def test_a_row_may_get_another_name_or_another_size(
    old: tuple[str, int], new: tuple[str, int], same: bool
) -> None:
    """With both it is another parameter, unless it had no elements yet."""
    refused = nullcontext() if same else pytest.raises(Refusal, match="Parameter 0 was 'a'")
    with refused:
        check_table(table(old), table(new, ("c", 1)))


def test_only_places_of_the_table_are_spoken_of() -> None:
    """The last place is one of them, and the number of places is not."""
    check_positions([0, 1], 2)
    check_positions([], 0)
    with pytest.raises(Refusal, match="Index 2 is outside the parameter table of 2 rows"):
        check_positions([0, 2], 2)


def test_what_no_optimizer_has_is_counted_where_it_wants_to_train() -> None:
    """Neither what the script froze nor what was removed is among it."""
    rows = [
        Parameter.model_validate(table_row(name, in_optimizer=False, **more))
        for name, more in (
            ("a", {}),
            ("frozen", {"requires_grad": False}),
            ("gone", {"removed": True}),
        )
    ]
    held = Parameter.model_validate(table_row("held"))
    assert table_summary(table_of([*rows, held]), {3})["not_in_optimizer"] == 1


@pytest.fixture(params=["one commit", "several commits"])
def grown(request: pytest.FixtureRequest, shared_server: ServerProcess, run: str) -> str:
    """A run that grew from 2 parameters to 3 and to 130, with a sample after each table."""
    apart = request.param == "several commits"
    tables = [[table_row(name) for name in names_up_to(count)] for count in (3, 130)]
    with FakeProbe(shared_server, hello(run, names_up_to(2))) as probe:
        probe.sample(1, [10, 11])
        for seq, table in zip((2, 4), tables, strict=True):
            if apart:
                probe.until_acked(seq - 1)
            grow(probe, seq, table)
            norms = [10 * (seq + 1) + place for place in range(len(table))]
            probe.sample(seq + 1, norms, grad_max=norms)
        probe.until_acked(5)
    return f"/api/runs/{run}"


def test_series_are_unmeasured_before_the_parameter_was_there(
    shared_server: ServerProcess, grown: str
) -> None:
    """Each has every step, whichever tables its samples were in and however they were committed."""
    asked = ["p0", "p1", "p2", "p129"]
    found = shared_server.get(f"{grown}/series", parameter=asked)["series"]
    assert [row["steps"] for row in found] == [[1, 3, 5]] * 4
    assert [row["values"] for row in found] == [
        [10, 30, 50],
        [11, 31, 51],
        [None, 32, 52],
        [None, None, 179],
    ]
    assert found[3]["states"] == ["unmeasured", "unmeasured", "present"]
    (row,) = shared_server.get(f"{grown}/series", parameter=["p129", "x"])["series"][:1]
    assert row["samples"] == 3
    largest = shared_server.get(f"{grown}/series", parameter="p2", stat="grad_max")
    assert (largest["steps"], largest["values"]) == ([3, 5], [32, 52])


def test_sparklines_are_as_wide_as_the_table(shared_server: ServerProcess, grown: str) -> None:
    """A short sample has nothing for the new parameters, and its own figures in their places."""
    found = shared_server.get(f"{grown}/sparklines")
    assert found["steps"] == [1, 3, 5]
    assert len(found["rows"]) == len(found["states"]) == 130
    assert found["rows"][:3] == [[10, 30, 50], [11, 31, 51], [None, 32, 52]]
    assert found["rows"][129] == [None, None, 179]
    assert found["states"][2] == [UNMEASURED, PRESENT, PRESENT]
    assert found["states"][129] == [UNMEASURED, UNMEASURED, PRESENT]


def test_the_rows_and_counts_are_the_new_ones(shared_server: ServerProcess, grown: str) -> None:
    """The run counts every parameter, and each has its own latest figures."""
    row = shared_server.get(grown)
    assert (row["parameters"], row["trainable"], row["numel"]) == (130, 130, 1040)
    rows = shared_server.get(f"{grown}/parameters")["parameters"]
    assert [(each["index"], each["grad_norm"], each["grad_max"]) for each in rows] == [
        (place, 50 + place, 50 + place) for place in range(130)
    ]


def test_a_new_parameter_is_unmeasured_until_a_sample_covers_it(
    shared_server: ServerProcess, run: str
) -> None:
    """Before its first figures, and while samples are shorter than the table."""
    with FakeProbe(shared_server, hello(run, ["a"])) as probe:
        probe.sample(1, [1])
        grow(probe, 2, [table_row("a"), table_row("b", requires_grad=False)])
        probe.sample(3, [3])
        probe.until_acked(3)
        rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
        assert [row["state"] for row in rows] == ["present", "unmeasured"]
        assert rows[1]["frozen"]["by"] == "script"
        probe.sample(4, [4, 5])
        probe.until_acked(4)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [(row["state"], row["grad_norm"]) for row in rows] == [("present", 4), ("present", 5)]


def test_live_frames_grow_with_the_table(shared_server: ServerProcess, run: str) -> None:
    """Frames that cover short and long samples are long, and the range of the old ones is kept."""
    with (
        FakeProbe(shared_server, hello(run, ["a"])) as probe,
        connect(f"{shared_server.ws_url}/api/runs/{run}/live") as browser,
    ):
        for _ in range(2):
            browser.recv(20)  # the row of the run, and its commands
        probe.sample(1, [1])
        probe.sample(2, [9])
        grow(probe, 3, [table_row("a"), table_row("b")])
        probe.sample(4, [2, 5])
        frames, kinds = [], set()
        while "parameters" not in kinds or sum(frame.seq for frame in frames) < 3:
            data = browser.recv(20)
            if isinstance(data, bytes):
                frames.append(decode(data))
            else:
                kinds.add(json.loads(data)["type"])
    last = frames[-1]
    assert last.states.tolist() == [PRESENT, PRESENT]
    assert (last.values[1].tolist(), last.values[130][1]) == ([2, 5], 5)
    assert max(frame.values[130][0] for frame in frames) == 9
    assert {len(frame.states) for frame in frames} <= {1, 2}


def test_a_killed_server_takes_the_larger_table_at_hello(server: ServerProcess, run: str) -> None:
    """What grew while no server was there is in `hello`, and nothing in the history shifts."""
    with FakeProbe(server, hello(run, ["a", "b"])) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        server.kill()
    server.restart()
    with FakeProbe(server, hello(run, ["a", "b", "c"])) as probe:
        probe.sample(2, [3, 4, 5])
        probe.until_acked(2)
    found = server.get(f"/api/runs/{run}/series", parameter=["a", "b", "c"])["series"]
    assert [row["values"] for row in found] == [[1, 3], [2, 4], [None, 5]]


def test_a_replaced_parameter_keeps_its_history_under_a_name_of_its_own(
    shared_server: ServerProcess, run: str
) -> None:
    """It is marked and not counted, its commands are still its own, and the new one starts anew."""
    path = f"/api/runs/{run}"
    table = [
        table_row(GONE, removed=True, requires_grad=False),
        table_row("b"),
        table_row("a", numel=5),
    ]
    with FakeProbe(shared_server, hello(run, ["a", "b"])) as probe:
        number = shared_server.post(f"{path}/commands", {"kind": "freeze", "target": "a"}).json()[
            "id"
        ]
        probe.report(1, number, "applied", step=1, parameters=[0])
        probe.sample(2, [1, 2], step=1)
        grow(probe, 3, table)
        probe.sample(4, [0, 4, 5], [UNMEASURED, PRESENT, PRESENT], step=4)
        probe.until_acked(4)
        row = shared_server.get(path)
        assert (row["parameters"], row["trainable"], row["numel"]) == (2, 2, 13)
        rows = shared_server.get(f"{path}/parameters")["parameters"]
        assert [(each["name"], each["removed"]) for each in rows] == [
            (GONE, True),
            ("b", False),
            ("a", False),
        ]
        assert len(shared_server.get(f"{path}/sparklines")["rows"]) == 3
        series = shared_server.get(f"{path}/series", parameter=[GONE, "a"])["series"]
        assert [each["values"] for each in series] == [[1, 0], [None, 5]]
        assert shared_server.get(f"{path}/commands/{number}")["parameters"] == [GONE]
    with FakeProbe(shared_server, hello(run, parameters=table)) as probe:
        assert probe.welcome["type"] == "welcome"


def test_a_parameter_that_is_back_has_its_name_again(
    shared_server: ServerProcess, run: str
) -> None:
    """It is no longer marked, counts again, and its history goes on."""
    gone = table_row("a (removed at step 2)", removed=True)
    with FakeProbe(shared_server, hello(run, ["a", "b"])) as probe:
        probe.sample(1, [1, 2])
        for seq, first, parameters in [(2, gone, 1), (4, table_row("a"), 2)]:
            grow(probe, seq, [first, table_row("b")])
            probe.sample(seq + 1, [seq, seq])
            probe.until_acked(seq + 1)
            assert shared_server.get(f"/api/runs/{run}")["parameters"] == parameters
    assert shared_server.get(f"/api/runs/{run}/series", parameter="a")["values"] == [1, 2, 4]


def test_a_parameter_keeps_its_history_under_another_name(
    shared_server: ServerProcess, run: str
) -> None:
    """A wrapper around a module renames its parameters, which may even take each other's names."""
    with FakeProbe(shared_server, hello(run, ["a", "b"])) as probe:
        probe.sample(1, [1, 2])
        grow(probe, 2, [table_row("b"), table_row("inner.b")])
        probe.sample(3, [3, 4])
        probe.until_acked(3)
    found = shared_server.get(f"/api/runs/{run}/series", parameter=["b", "inner.b"])["series"]
    assert [row["values"] for row in found] == [[1, 3], [2, 4]]


def test_another_parameter_in_a_place_is_refused(shared_server: ServerProcess, run: str) -> None:
    """A row of another name and another size is no parameter that is known, and nothing changes."""
    with FakeProbe(shared_server, hello(run, ["a"])) as probe:
        grow(probe, 1, [table_row("b", numel=9)])
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert "Parameter 0 was 'a' of 8 elements and is now 'b' of 9" in last["message"]
    (kept,) = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert (kept["name"], kept["numel"]) == ("a", 8)


def test_a_lazy_parameter_may_get_its_size_and_a_name(
    shared_server: ServerProcess, run: str
) -> None:
    """Before its first forward it has no elements."""
    with FakeProbe(shared_server, hello(run, parameters=[table_row("a", numel=0)])) as probe:
        grow(probe, 1, [table_row("inner.a", numel=12)])
        probe.until_acked(1)
    assert shared_server.get(f"/api/runs/{run}")["numel"] == 12


def test_what_is_held_is_not_counted_as_trainable(shared_server: ServerProcess, run: str) -> None:
    """Also after a larger table, whose rows do not say what commands hold."""
    held = {"command": 1, "by": "ada", "mode": "grad", "since_step": 1, "parameters": [0]}
    with FakeProbe(shared_server, hello(run, ["a", "b"])) as probe:
        probe.send({"type": "frozen", "seq": 1, "frozen": [held]})
        probe.until_acked(1)
        grow(probe, 2, [table_row(name) for name in "abc"])
        probe.until_acked(2)
    assert shared_server.get(f"/api/runs/{run}")["trainable"] == 2


def test_a_long_name_has_room_for_its_end(shared_server: ServerProcess, run: str) -> None:
    """A parameter of the longest name can be replaced like any other."""
    name = "n" * 512
    table = [table_row(f"{name} (replaced at step {2**53})", removed=True), table_row(name)]
    with FakeProbe(shared_server, hello(run, [name])) as probe:
        grow(probe, 1, table)
        probe.until_acked(1)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [row["removed"] for row in rows] == [True, False]


def test_a_table_in_columns_is_the_table_in_rows(connection: Connection) -> None:
    """Over several blocks, with tied names, several kinds, and a module that many have."""
    rows = [
        table_row(f"m{place // 7}.p{place}", numel=place % 3, requires_grad=place % 2 == 0)
        for place in range(2 * BLOCK + 3)
    ]
    for place in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 2):
        rows[place]["names"] += [f"tied {place}", f"again {place}"]
    told = Hello.model_validate(hello("a" * 16, parameters=rows))
    in_columns = {**hello("b" * 16, parameters=None), "columns": told.table.as_columns()}
    read = Hello.model_validate_json(json.dumps(in_columns))
    assert told.table.blocks == read.table.blocks
    for each in (told, read):
        open_run(connection, each, 1.0)
    found = [parameter_rows(connection, each.run) for each in (told, read)]
    assert found[0] == found[1]
    assert [(row.names, row.module, row.numel) for row in found[0]] == [
        (row["names"], row["module"], row["numel"]) for row in rows
    ]
    changed = [{**row, "names": [f"{row['names'][0]} new"]} for row in rows[BLOCK : BLOCK + 2]]
    wrapped = rows[:BLOCK] + changed + rows[BLOCK + 2 :]
    open_run(connection, Hello.model_validate(hello("a" * 16, parameters=wrapped)), 2.0)
    assert [row.names for row in parameter_rows(connection, told.run)] == [
        row["names"] for row in wrapped
    ]
    table = read_table(connection, read.run)
    assert table.place(f"again {BLOCK}") == BLOCK
    assert names_at(connection, read.run, [2, BLOCK, 2 * BLOCK]) == {
        place: rows[place]["names"][0] for place in (2, BLOCK, 2 * BLOCK)
    }


def test_rows_that_changed_are_stored_and_the_others_stay(connection: Connection, run: str) -> None:
    """Whatever is in a name or a shape; the same table again changes nothing."""
    names = ["a", 'quoted "\\ ü', "c"]
    before = Hello.model_validate(hello(run, names))
    open_run(connection, before, 1.0)
    rows = parameter_rows(connection, run)
    open_run(connection, before, 2.0)
    assert parameter_rows(connection, run) == rows
    rows_told = [Parameter.model_validate(table_row(name)) for name in (*names, "d")]
    rows_told[1] = rows_told[1].model_copy(update={"shape": [], "requires_grad": False})
    save_table(connection, run, table_of(rows_told))
    again = parameter_rows(connection, run)
    assert [row.name for row in again] == [*names, "d"]
    assert [row.shape for row in again] == [[4, 2], [], [4, 2], [4, 2]]
    assert [again[0], again[2]] == [rows[0], rows[2]]
    assert again[1].names == [names[1]]
    assert again[1].frozen is not None
