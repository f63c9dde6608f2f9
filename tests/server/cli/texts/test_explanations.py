"""Explanations in words."""

from __future__ import annotations

from typing import Any

from gradgate.server.cli.texts.explanations import explanation_lines
from gradgate.server.protocol.explanations import Explanation
from tests.support.probing import explanation


def lines(*explanations: dict[str, Any]) -> list[str]:
    """The lines of explanations."""
    return list(explanation_lines(Explanation.model_validate(each) for each in explanations))


def named(name: str, **changes: Any) -> dict[str, Any]:
    """An explanation without its source."""
    return explanation(None, name, source=None, **changes)


def test_what_differs_in_its_name_alone_is_one_entry() -> None:
    """In the order of the first of each, with an empty line in between."""
    found = lines(
        named("a.w", detail="`a.w` is lost."),
        named("b.w", detail="`b.w` is not used.", cause="parameter_not_used", where=None),
        named("a.b", detail="`a.b` is lost."),
    )
    heads = [line for line in found if not line.startswith(" ")]
    assert heads == ["a.w, a.b: detached at train.py:41", "", "b.w: parameter_not_used"]


def test_a_name_within_a_longer_one_is_no_name() -> None:
    """`a` in `a.b` stays, so the two say different things."""
    found = lines(named("a", detail="a.b of x"), named("c", detail="c.b of x"))
    assert len([line for line in found if line and not line.startswith(" ")]) == 2


def test_of_very_many_the_first_is_named() -> None:
    """Three are listed, of four the first and how many more."""
    names = [f"layer{number}" for number in range(4)]
    three, four = (lines(*(named(n, detail=f"{n} is lost") for n in names[:k])) for k in (3, 4))
    assert three[0].startswith("layer0, layer1, layer2: ")
    assert four[0].startswith("layer0 and 3 more: ")


def test_the_line_that_is_meant_is_marked() -> None:
    """With two lines around it, numbered."""
    source = {
        "file": "t.py",
        "line": 10,
        "first": 7,
        "lines": ["a", "b", "c", "\td", "e", "f", "g"],
    }
    found = lines(explanation(0, "w", source=source))
    assert found[-5:] == [
        "       8 | b",
        "       9 | c",
        "    > 10 |     d",
        "      11 | e",
        "      12 | f",
    ]
