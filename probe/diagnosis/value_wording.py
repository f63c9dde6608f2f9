"""The sentences about a gradient that came as zeros or not finite: one function for each."""

from __future__ import annotations

from ..base.source import Place
from . import explanation as causes
from .finding import Finding
from .nonfinite import Origin
from .phrases import at, spoken
from .tape import Call, Value

_ZERO_ADVICE = {
    "relu": "Look at what goes into it: all of it is negative, so check initialisation, "
    "learning rate and normalisation before it, or use a leaky activation.",
    "softmax": "The softmax is saturated to exact zeros and ones: make the logits smaller, or give "
    "the logits to a loss that takes them.",
    "clamp": "Everything lies beyond the limits: widen them, or do not clamp in training.",
    "sigmoid": "The sigmoid is saturated: make what goes into it smaller, or give the logits to a "
    "loss that takes them.",
    "tanh": "The tanh is saturated: make what goes into it smaller.",
    "mul": "One factor is exactly zero: look where it comes from.",
    "where": "Everything was taken from the other branch: look at the condition.",
    "masked_fill": "Everything was masked: look at the mask.",
}
_OVERWRITES = frozenset({"zero_", "fill_", "copy_", "__setitem__", "masked_fill_"})


def flat(name: str, call: Call, way: list[Value], after: Value | None) -> Finding:
    """The only way leads through a staircase."""
    return Finding(
        causes.NOT_DIFFERENTIABLE,
        f"`{name}` reaches the loss only through {spoken(call)} {at(call.chain)}, whose derivative "
        "is zero everywhere, so its gradient is exactly zero.",
        "Use a straight-through estimator, x + (round(x) - x).detach(), or a smooth stand-in.",
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )


def bad_from_root(name: str, place: Place | None, way: list[Value], *, zero: bool) -> Finding:
    """The backward was given zeros, or what is not finite."""
    where = "" if place is None else f" at {place.text}"
    what = "zeros" if zero else "NaN or infinity"
    return Finding(
        causes.ZERO_GRADIENT if zero else causes.NONFINITE,
        f"The backward{where} began with {what}, so `{name}` got {what}.",
        "Look at the gradient, or the scale, that backward() was given.",
        place,
        way,
        way[-1] if way else None,
        what,
    )


def cancels(
    name: str, made: Call | None, used: Call, way: list[Value], after: Value | None
) -> Finding:
    """What arrives from several sides adds up to zero."""
    what = "the parameter itself" if made is None else f"the result of {spoken(made)}"
    return Finding(
        causes.ZERO_GRADIENT,
        f"The gradients that {what} gets from its uses {at(used.chain)} cancel to exactly zero, "
        f"and with them that of `{name}`.",
        "Look for a term that takes away what another adds; a straight-through estimator needs a "
        "detach(): x + (hard - x).detach().",
        used.place,
        way,
        after,
        "cancels",
    )


def made_bad_by_hook(
    name: str, call: Call | None, way: list[Value], after: Value | None, *, zero: bool
) -> Finding:
    """A hook of the script's makes zeros, or what is not finite."""
    made = "zeros" if zero else "NaN or infinity"
    what = f"`{name}`" if call is None else f"the result of {spoken(call)} {at(call.chain)}"
    return Finding(
        causes.ZERO_GRADIENT if zero else causes.NONFINITE,
        f"A hook on {what} turns the gradient into {made}, so `{name}` gets {made}.",
        "Remove the hook that register_hook() put there, or let it return what it was given.",
        None if call is None else call.place,
        way,
        after,
        "a hook",
    )


def zero_gradient(
    name: str, call: Call, way: list[Value], after: Value | None, factor: str | None
) -> Finding:
    """It arrived as exact zeros; ``factor``: what it was multiplied by, where that was zeros."""
    why, advice = "", _ZERO_ADVICE.get(call.name.rstrip("_"), "")
    if factor is not None and factor != f"`{name}`":
        why = f", because {factor} is exactly zero"
        advice = advice or "Look where those zeros come from."
        if factor.startswith("`"):
            advice = (
                "It may be meant, as for LoRA's B at the first step: the gradient comes once "
                f"{factor} has moved; initialise it with other values when it has not."
            )
    elif any(0 in value.shape for value in call.inputs):
        why = ", because what it is given is empty"
        advice = "Leave empty batches out."
    elif call.name in _OVERWRITES:
        why = ", because it overwrites the values by others"
        advice = "Do not write over the result, or write into a copy of it."
    elif not advice:
        advice = "Look at what goes into it, and at what it is multiplied by."
    return Finding(
        causes.ZERO_GRADIENT,
        f"The gradient on its way to `{name}` becomes exactly zero in {spoken(call)} "
        f"{at(call.chain)}{why}.",
        advice,
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )


def nonfinite(
    name: str, call: Call, way: list[Value], after: Value | None, born: Origin
) -> Finding:
    """It is not finite."""
    if born.leaf is not None:
        what = f"What goes into {spoken(call)} {at(call.chain)} holds NaN or infinity already"
        advice = "Look at the data, and at the weights after the step before."
    elif born.call is not None:
        what = f"{spoken(call)} {at(call.chain)} gives NaN or infinity"
        advice = (
            "Keep what goes into it away from where it has no finite value, by an eps or clamp."
        )
    else:
        what = (
            f"The backward of {spoken(call)} {at(call.chain)} makes NaN or infinity of a finite "
            "gradient"
        )
        advice = (
            "Its derivative has no finite value there: add an eps inside of it, or replace the "
            "bad elements before it, not after it."
        )
    return Finding(
        causes.NONFINITE,
        f"{what[0].upper() + what[1:]}, and from there `{name}` gets it.",
        advice,
        call.place,
        way,
        after,
        spoken(call).strip("`"),
    )
