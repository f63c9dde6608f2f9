"""How calls and places are named in a sentence."""

from __future__ import annotations

import pytest

from gradgate.probe.base.source import Place
from gradgate.probe.diagnosis.phrases import OtherCuts, at, phrase, quoted
from gradgate.probe.diagnosis.tape import Call
from tests.support.tracing import call, chain

LIBRARY = "/x/site-packages/lib/loss.py"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", "`relu()`"),
        ("add_", "`add_()`"),
        ("__add__", "`add()`"),
        ("data", "`.data`"),
        ("__float__", "`float()`"),
        ("__setitem__", "an assignment to its elements"),
        ("BackwardHookFunction", "the module's full backward hook"),
    ],
)
def test_a_call_is_named_as_people_write_it(name: str, expected: str) -> None:
    """Operators and attributes in words, functions with their parentheses."""
    assert phrase(call(name)) == expected


def test_a_custom_function_is_called_one() -> None:
    """By the name of its class, whatever that is."""
    assert phrase(Call(0, "data", chain(), None, None, custom=True)) == "the custom function `data`"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "at a line that is not known"),
        (["train.py:41", "main.py:2"], "at train.py:41"),
        ([f"{LIBRARY}:3", "train.py:41", "main.py:2"], f"at {LIBRARY}:3, called from train.py:41"),
        ([f"{LIBRARY}:3"], f"at {LIBRARY}:3"),
    ],
)
def test_a_place_in_a_library_names_the_callers_line_too(lines: list[str], expected: str) -> None:
    """The innermost line is the place; in a library the user's own that led there is named."""
    assert at(chain(*lines)) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (2, " (other ways are cut at a.py:0, a.py:1)"),
        (5, " (other ways are cut at a.py:0, a.py:1, a.py:2 and 2 more)"),
    ],
)
def test_other_places_are_named_up_to_three(count: int, expected: str) -> None:
    """The rest is counted."""
    places = [Place("a.py", line, "f") for line in range(count)]
    assert OtherCuts(beside=places).text == expected


def test_cuts_further_on_are_told_from_those_of_other_ways() -> None:
    """They come first, for the way that is named is cut by them too."""
    a, b = Place("a.py", 1, "f"), Place("b.py", 2, "f")
    assert OtherCuts(behind=[a]).text == " (the way is cut again at a.py:1)"
    assert OtherCuts([a], [b]).text == (
        " (the way is cut again at b.py:2; other ways are cut at a.py:1)"
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "`p0`"),
        (2, "`p0` and `p1`"),
        (4, "`p0`, `p1`, `p2` and `p3`"),
        (6, "`p0`, `p1`, `p2` and 3 more"),
    ],
)
def test_parameters_are_named_up_to_four(count: int, expected: str) -> None:
    """Of more, three and a number."""
    assert quoted([f"p{i}" for i in range(count)]) == expected
