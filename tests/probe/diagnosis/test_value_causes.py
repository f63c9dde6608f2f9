"""What the sentences depend on of a gradient with values of no use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradgate.probe.base.source import Place
from gradgate.probe.diagnosis.gradient_log import GradientWrite, Overwriting
from gradgate.probe.diagnosis.tensor_hooks import Hook
from gradgate.probe.diagnosis.value_causes import Nonfinite, Overwritten, ZeroGradient
from gradgate.probe.diagnosis.zeros import Reason
from tests.support.tracing import call, chain, value

PLACE = Place("train.py", 9, "step")


def test_the_reason_of_zeros_follows_the_place() -> None:
    """And the advice is the reason's."""
    found = ZeroGradient.by_call("w", call("mm"), [], None, Reason(", because of it", "Do it."))
    assert found.detail.endswith("exactly zero in `mm()` at train.py:7, because of it.")
    assert found.advice == "Do it."


@pytest.mark.parametrize("cause", [ZeroGradient, Nonfinite])
def test_a_bad_value_may_come_from_a_hook_or_the_root(cause: type[ZeroGradient]) -> None:
    """Both causes say it in their own words."""
    hook = cause.by_hook("w", None, [], None)
    root = cause.from_root("w", PLACE, [value()])
    assert hook.cause == root.cause == cause.word
    assert hook.detail == (
        f"A hook on `w` turns the gradient into {cause.values}, so `w` gets {cause.values}."
    )
    assert "the result of `mul()` at train.py:7" in cause.by_hook("w", call("mul"), [], None).detail
    assert root.detail.startswith(f"The backward at train.py:9 began with {cause.values}")
    assert root.stop is root.way[-1]


def test_a_value_that_is_not_finite_has_three_origins() -> None:
    """What was given, what the call made, and what its backward made."""
    details = [
        build("w", call("log"), [], None).detail
        for build in (Nonfinite.from_input, Nonfinite.by_call, Nonfinite.by_backward)
    ]
    assert details == [
        "What goes into `log()` at train.py:7 holds NaN or infinity already, and from there `w` "
        "gets it.",
        "`log()` at train.py:7 gives NaN or infinity, and from there `w` gets it.",
        "The backward of `log()` at train.py:7 makes NaN or infinity of a finite gradient, and "
        "from there `w` gets it.",
    ]
    custom = call("Mine")
    custom.custom = True
    assert Nonfinite.by_call("w", custom, [], None).detail.startswith("The custom function `Mine`")


def written(by: str, size: float | None = 0.0, **known: bool) -> GradientWrite:
    """A write at train.py:9 to the gradient of a backward at train.py:8."""
    return GradientWrite(by, chain("train.py:9"), 2, 1, 0, size, **known)


USEFUL = GradientWrite("backward", chain("train.py:8"), 1, 1, 0, 1.0)


@pytest.mark.parametrize(
    ("write", "culprits", "detail", "advice"),
    [
        (written("zero_"), [], "`zero_()` at train.py:9 made zeros of it", "Leave .grad"),
        (written("zero_grad"), ["v"], "`zero_grad()` at", "Call zero_grad() before backward()"),
        (written("clip_grad_norm_"), [], "`clip_grad_norm_()` at", "max_norm above zero"),
        (written("clip_grad_norm_"), ["v"], "`clip_grad_norm_()` at", "Mend `v` first"),
        (
            written("grad =", None),
            [],
            "an assignment to `.grad` at train.py:9 took it away",
            "Leav",
        ),
        (written("numpy", given_out=True), [], "by way of `numpy()` at train.py:9", "Leave .grad"),
        (None, [], "something that torch does not show", "Look at all that runs between"),
    ],
)
def test_what_overwrote_a_gradient_is_named_with_what_helps(
    write: GradientWrite | None, culprits: list[str], detail: str, advice: str
) -> None:
    """By what was called, and by whose gradient was not finite before."""
    found = Overwritten.by_zeros("w", Overwriting(USEFUL, write), culprits, [])
    assert found.detail.startswith("The backward at train.py:8 gave `w` a gradient, and ")
    assert detail in found.detail
    assert advice in found.advice
    assert (found.place and found.place.text) == (write and "train.py:9")


def test_a_library_that_overwrote_a_gradient_is_named_beside_the_scripts_line() -> None:
    """The line of the script is the place."""
    write = replace(written("mul_"), chain=chain("site-packages/trainer.py:3", "train.py:9"))
    found = Overwritten.by_nonfinite("w", Overwriting(USEFUL, write), ["v"], [])
    assert found.place is not None
    assert found.place.text == "train.py:9"
    assert "at site-packages/trainer.py:3, called from train.py:9" in found.detail
    assert "Mend `v` first" in found.advice


def test_a_hook_is_named_with_the_best_line_that_is_known() -> None:
    """Where it was registered, else where its function begins."""
    at_line = Hook(PLACE, True)
    found = Nonfinite.by_hook("w", call("mul"), [], None, at_line)
    assert found.place is PLACE
    assert "the result of `mul()` at train.py:7, registered at train.py:9, turns" in found.detail
    found = ZeroGradient.by_hook("w", None, [], None, replace(at_line, registered=False))
    assert found.place is PLACE
    assert "on `w`, whose function begins at train.py:9, turns" in found.detail
