"""How names are told: no two alike."""

from __future__ import annotations

from gradgate.probe.link.told_names import told_names


def test_a_name_is_told_as_it_is_where_that_can_be() -> None:
    """Also where another, that comes before it, would be told the same."""
    assert told_names(["a\0", "a?", "a? (2)", "b"], 10) == {
        "a?": "a?",
        "a? (2)": "a? (2)",
        "b": "b",
        "a\0": "a? (3)",
    }


def test_names_that_differ_at_their_beginning_alone_are_told_apart() -> None:
    """With a number, in as many characters."""
    names = [f"{letter}.encoder.layer" for letter in "abcdefghijkl"]
    told = list(told_names(names, 10).values())
    assert told[:3] == ["…der.layer", "…layer (2)", "…layer (3)"]
    assert told[-1] == "…ayer (12)"
    assert len(set(told)) == len(names)
