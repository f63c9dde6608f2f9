"""Which rows a grid has."""

from __future__ import annotations

from gradgate.server.export.report.rows import grouped

NAMES = [f"encoder.{layer}.{part}" for layer in range(3) for part in ("q.w", "k.w", "norm")]


def test_few_parameters_have_a_row_each() -> None:
    """Under their own names."""
    labels, groups = grouped(NAMES, 9)
    assert labels == NAMES
    assert groups == [[place] for place in range(9)]


def test_many_become_the_deepest_modules_that_are_few_enough() -> None:
    """What has no module at that depth stays in the one that it is in."""
    labels, groups = grouped([*NAMES, "scale"], 4)
    assert labels == ["encoder.0", "encoder.1", "encoder.2", "scale"]
    assert groups == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_neighbours_come_together_where_even_the_top_has_too_many() -> None:
    """Each parameter is in one row, and the rows say from where to where."""
    labels, groups = grouped([f"p{place}" for place in range(10)], 4)
    assert labels == ["p0 … p2", "p3 … p5", "p6 … p8", "p9"]
    assert [place for group in groups for place in group] == list(range(10))
