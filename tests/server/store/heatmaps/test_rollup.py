"""Parameters rolled up into rows."""

from __future__ import annotations

import pytest

from gradgate.server.store.heatmaps.rollup import places_between, rolled_up
from gradgate.server.store.targets import meant

NAMES = ["a.one.w", "a.one.b", "a.two.w", "b.w", "b.x.y.w", "scale"]


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        (6, [(name, [place]) for place, name in enumerate(NAMES)]),
        (5, [("a.one", [0, 1]), ("a.two", [2]), ("b.w", [3]), ("b.x.y", [4]), ("scale", [5])]),
        (3, [("a", [0, 1, 2]), ("b", [3, 4]), ("scale", [5])]),
        (2, [("a … b", [0, 1, 2, 3, 4]), ("scale", [5])]),
        (1, [("a … scale", [0, 1, 2, 3, 4, 5])]),
    ],
)
def test_rows_are_the_deepest_modules_that_there_is_room_for(
    rows: int, groups: list[tuple[str, list[int]]]
) -> None:
    """Each parameter is in one of them, in the order of the model."""
    found = rolled_up(NAMES, range(6), rows)
    assert [(group.name, group.places) for group in found] == groups


def test_many_layers_of_one_list_share_rows_with_their_neighbours() -> None:
    """They would all be one row else, and what is beside the list keeps its own."""
    names = [f"layers.{layer}.{name}" for layer in range(9) for name in ("w", "b")]
    found = rolled_up([*names, "head.w", "head.b"], range(20), 7)
    assert [group.name for group in found] == [
        "layers.0 … layers.1",
        "layers.2 … layers.3",
        "layers.4 … layers.5",
        "layers.6 … layers.7",
        "layers.8",
        "head",
    ]
    assert [place for group in found for place in group.places] == list(range(20))


def test_top_modules_share_rows_where_there_are_more_of_them_than_rows() -> None:
    """Whole modules, whether they have one parameter or many."""
    names = ["a", "b.w", "c.w", "d.w", "e.w"]
    groups = [group.name for group in rolled_up(names, range(5), 4)]
    assert groups == ["a … b", "c … d", "e"]


def test_parameters_of_one_module_share_rows_with_their_neighbours() -> None:
    """It would be the only row else, which nothing opens."""
    names = [f"experts.{place}" for place in range(9)]
    groups = [group.name for group in rolled_up(names, range(9), 4)]
    assert groups == [
        "experts.0 … experts.2",
        "experts.3 … experts.5",
        "experts.6 … experts.8",
    ]


MODEL = [
    *(f"layers.{layer}.{name}" for layer in range(8) for name in ("w", "b")),
    "layers.scale",
    *(f"experts.{place}" for place in range(40)),
    *(f"m{place}.w" for place in range(9)),
    "layers.1.lora",
]


def test_what_a_row_of_neighbours_is_called_names_its_parameters() -> None:
    """At any depth, so that each row can be opened, down to parameters."""
    for rows in (3, 4, 7):
        seen: list[str] = []
        open_rows = rolled_up(MODEL, range(len(MODEL)), rows)
        while open_rows:
            row = open_rows.pop()
            if len(row.places) == 1:
                seen.append(MODEL[row.places[0]])
                continue
            places = places_between(MODEL, row.name) or meant(row.name, [[n] for n in MODEL])
            assert places == sorted(row.places), row.name
            inside = rolled_up([MODEL[place] for place in places], places, rows)
            assert len(inside) > 1, row.name
            open_rows += inside
        assert sorted(seen) == sorted(MODEL)


@pytest.mark.parametrize("match", ["layers", "layers.0 … gone", "layers.3 … layers.1", "a … b … c"])
def test_other_names_are_no_neighbours(match: str) -> None:
    """Such as a module's, ends that there are not, or in the wrong order."""
    assert places_between(MODEL, match) == []
