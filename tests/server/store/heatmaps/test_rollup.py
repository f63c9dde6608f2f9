"""Parameters rolled up into rows."""

from __future__ import annotations

import pytest

from gradgate.server.store.heatmaps.rollup import rolled_up

NAMES = ["a.one.w", "a.one.b", "a.two.w", "b.w", "b.x.y.w", "scale"]


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        (6, [(name, [place]) for place, name in enumerate(NAMES)]),
        (5, [("a.one", [0, 1]), ("a.two", [2]), ("b", [3]), ("b.x.y", [4]), ("scale", [5])]),
        (3, [("a", [0, 1, 2]), ("b", [3, 4]), ("scale", [5])]),
        (2, [("a.one.w … a.two.w", [0, 1, 2]), ("b.w … scale", [3, 4, 5])]),
        (1, [("a.one.w … scale", [0, 1, 2, 3, 4, 5])]),
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


def test_a_row_of_one_parameter_has_its_name() -> None:
    """Also where neighbours share rows, because there are more modules than rows."""
    names = ["a", "b.w", "c.w", "d.w", "e.w"]
    groups = [group.name for group in rolled_up(names, range(5), 4)]
    assert groups == ["a", "b.w", "c.w", "d.w … e.w"]
