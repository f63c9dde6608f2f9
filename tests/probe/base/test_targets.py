"""From a target to parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gradgate.probe.base.errors import TargetError
from gradgate.probe.base.targets import MOST_COMPARED, resolve
from gradgate.probe.base.wire_text import LONGEST_NAME, wire_name

NAMES = [
    ["encoder.weight"],
    ["encoder.bias"],
    ["encoder2.weight"],
    ["head.weight", "tied.weight"],
    [],
    ["tied.weight.more"],
]


@pytest.mark.parametrize(
    ("target", "indexes"),
    [
        ("encoder.bias", [1]),
        ("tied.weight", [3]),
        ("encoder", [0, 1]),
        ("tied", [3, 5]),
        ("*weight", [0, 2, 3]),
        ("enc*", [0, 1, 2]),
        ("encoder?.weight", [2]),
        ("*", [0, 1, 2, 3, 5]),
    ],
)
def test_a_name_a_module_and_a_glob_in_this_order(target: str, indexes: list[int]) -> None:
    """A name of several counts; what has no name is never meant."""
    assert resolve(target, NAMES) == indexes


@pytest.mark.parametrize("target", [None, 5, ["encoder"], b"encoder"])
def test_what_is_no_text_is_no_target(target: Any) -> None:
    """It is quoted, and the sentence says what to give."""
    with pytest.raises(TargetError, match=re.escape(f"{target!r} is no target; give")):
        resolve(target, NAMES)


ODD = [["a\0b.weight"], ["a\0b.bias"], ["block" * 200 + ".weight"], ["head.weight"]]
TOLD = [wire_name(name, LONGEST_NAME) for (name,) in ODD]


@pytest.mark.parametrize(
    ("target", "indexes"),
    [
        *((name, [index]) for index, name in enumerate(TOLD)),
        ("a?b", [0, 1]),
        (TOLD[2].partition(".")[0], [2]),
        ("a[?]b.*", [0, 1]),
        ("*.weight", [0, 2, 3]),
    ],
)
def test_a_name_as_the_dashboard_has_it_is_a_target(target: str, indexes: list[int]) -> None:
    """So is the path above it, as the page offers both; a name of the model's own comes first."""
    assert resolve(target, ODD) == indexes


def test_an_exact_name_is_every_parameter_that_has_it() -> None:
    """Two models may call theirs the same."""
    assert resolve("weight", [["weight"], ["bias"], ["weight"]]) == [0, 2]


def test_a_module_path_in_which_a_glob_would_match_itself_comes_first() -> None:
    """A module may be called by a character that a glob knows."""
    assert resolve("block[0]", [["block[0].weight"], ["block0"]]) == [0]


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("encoder.wait", "'encoder.weight'"),
        ("hea", "did you mean 'head'"),
        ("zzzzzzzz", "the first parameter is 'encoder.weight'"),
    ],
)
def test_what_matches_nothing_is_told_the_nearest(target: str, hint: str) -> None:
    """A parameter's name or a module's path."""
    with pytest.raises(TargetError, match=target) as caught:
        resolve(target, NAMES)
    assert hint in str(caught.value)


def test_in_a_large_model_the_nearest_are_looked_for_among_those_that_begin_alike() -> None:
    """To compare with all names would take seconds."""
    names = [[f"blocks.{number:05d}.weight"] for number in range(MOST_COMPARED * 2)]
    with pytest.raises(TargetError, match=r"did you mean 'blocks\.03999\.weight'"):
        resolve("blocks.03999.weigth", names)


def test_a_run_without_parameters_is_said_to_have_none() -> None:
    """There is no nearest name."""
    with pytest.raises(TargetError, match="this run has no parameters"):
        resolve("encoder", [[], []])
