"""Heat maps over REST, in JSON and in columns."""

from __future__ import annotations

import pytest

from tests.support.columns import read_columns
from tests.support.probing import ABSENT, FROZEN, PRESENT, ZERO, FakeProbe
from tests.support.serving import ServerProcess

COLUMNS = {"Accept": "application/vnd.gradgate.columns"}
NAN = float("nan")


@pytest.fixture
def path(run: str, probe: FakeProbe) -> str:
    """The address of a heat map of three parameters over three steps."""
    probe.sample(1, [1, NAN, NAN], [PRESENT, ABSENT, FROZEN])
    probe.sample(2, [0, 10, NAN], [ZERO, PRESENT, FROZEN])
    probe.sample(3, [100, 1000, NAN], [PRESENT, PRESENT, FROZEN])
    probe.until_acked(3)
    return f"/api/runs/{run}/heatmap"


def test_a_cell_is_a_parameter_at_a_step(shared_server: ServerProcess, path: str) -> None:
    """In the order of the model, with the words of the states."""
    assert shared_server.get(path) == {
        "stat": "grad_norm",
        "of": "max",
        "first": [1, 2, 3],
        "last": [1, 2, 3],
        "rows": [
            {
                "name": "encoder.weight",
                "parameters": 1,
                "values": [1, 0, 100],
                "states": ["present", "zero", "present"],
            },
            {
                "name": "encoder.bias",
                "parameters": 1,
                "values": [None, 10, 1000],
                "states": ["absent", "present", "present"],
            },
            {
                "name": "head.weight",
                "parameters": 1,
                "values": [None, None, None],
                "states": ["frozen"] * 3,
            },
        ],
    }


def test_rows_are_modules_where_there_is_no_room(shared_server: ServerProcess, path: str) -> None:
    """And columns have several steps."""
    found = shared_server.get(path, rows=2, columns=2)
    assert (found["first"], found["last"]) == ([1, 2], [1, 3])
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["encoder"]["parameters"] == 2
    assert rows["encoder"]["values"] == [1, 1000]
    assert rows["encoder"]["states"] == ["absent", "zero"]
    assert rows["head"]["states"] == ["frozen", "frozen"]
    chosen = shared_server.get(path, match="head", **{"from": 2, "to": 3})
    assert [row["name"] for row in chosen["rows"]] == ["head.weight"]
    assert chosen["first"] == [2, 3]
    (row,) = shared_server.get(path, rows=1)["rows"]
    assert row["name"] == "encoder … head"
    inside = shared_server.get(path, match=row["name"])["rows"]
    assert [each["name"] for each in inside] == ["encoder.weight", "encoder.bias", "head.weight"]


def test_columns_have_a_byte_for_a_value_and_one_for_a_state(
    shared_server: ServerProcess, path: str
) -> None:
    """Shades divide the decades of what is above zero; zero and no value have their own."""
    columns = read_columns(shared_server.page(path, headers=COLUMNS).content)
    assert columns["rows"] == ["encoder.weight", "encoder.bias", "head.weight"]
    assert columns["parameters"] == [1, 1, 1]
    assert columns["first"] == columns["last"] == [1, 2, 3]
    least, greatest = columns["range"]
    assert (least, greatest) == pytest.approx((0, 3))
    values = [
        shade - 1 if shade < 2 else 10 ** (least + (shade - 2) / 253 * (greatest - least))
        for shade in columns["shades"]
    ]
    assert values[:3] == [pytest.approx(1), 0, pytest.approx(100, rel=0.02)]
    assert values[3:] == [-1, pytest.approx(10, rel=0.02), pytest.approx(1000), *[-1] * 3]
    assert columns["states"] == [1, 2, 1, 4, 1, 1, 6, 6, 6]


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("columns=1000000", 422, "less than or equal to 4096"),
        ("columns=4096&rows=4096", 422, "at most 1,048,576 cells"),
        ("from=3&to=1", 422, "is reversed: give `from=1` and `to=3`"),
        ("match=nothing", 404, "means no parameter"),
        ("match=encoder%20…%20gone", 404, "means no parameter"),
        ("of=sum", 422, "'max', 'min' or 'mean'"),
    ],
)
def test_what_cannot_be_answered_is_told(
    shared_server: ServerProcess, path: str, query: str, status: int, told: str
) -> None:
    """In a sentence, at once."""
    answer = shared_server.page(f"{path}?{query}")
    assert answer.status_code == status
    assert told in answer.text


def test_before_the_first_sample_and_beyond_the_last_there_is_nothing(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """No columns, and no error."""
    path = f"/api/runs/{run}/heatmap"
    assert shared_server.get(path)["first"] == []
    packed = read_columns(shared_server.page(path, headers=COLUMNS).content)
    assert packed["shades"] == packed["states"] == []
    probe.sample(1, [1, 2, 3])
    probe.until_acked(1)
    assert shared_server.get(path, **{"from": 10})["first"] == []
