"""Why an operation makes zeros of a gradient, and what would help.

By what the operation is, what it was given, and what became of its result. The first rule that
knows a reason has the word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from .phrases import at, phrase
from .tape import Call, Value, size_of
from .torch_functions import (
    CASTS,
    JOINS,
    LABELLED,
    MARGINS,
    NORMALIZES,
    OVERWRITES,
    PASSES,
    PRODUCTS,
    RECTIFIES,
    REDUCES,
    SATURATES,
    SELECTS,
    SHAPE_OF_ALL,
)

_LARGEST = 65_504
"""Of float16: the types that hold no larger number underflow in everyday training."""


@dataclass(frozen=True)
class Reason:
    """Why there are only zeros, and what to do."""

    why: str
    """What follows the place: ``, because …``; nothing where the advice says it."""
    advice: str


@dataclass(frozen=True)
class Turn:
    """Where a gradient turned into zeros on its way to a parameter."""

    parameter: str
    call: Call
    received: float | None
    """The largest magnitude of the gradient that the call got."""
    later: frozenset[str]
    """The calls between it and the loss."""
    names: Mapping[int, str]
    """Of the parameters, by ``id``."""

    @property
    def name(self) -> str:
        """The call's name, whether it is written in place or not."""
        return self.call.name if self.call.name.startswith("__") else self.call.name.rstrip("_")

    @property
    def given(self) -> list[float]:
        """The sizes of what the call was given, as far as they are known."""
        return [size for value in self.call.inputs if (size := size_of(value)) is not None]

    @property
    def result(self) -> float | None:
        """The size of what the call made."""
        return size_of(self.call.outputs[0]) if self.call.outputs else None


def reason_of(turn: Turn) -> Reason:
    """Find the reason, or else say where to look."""
    for rule in _RULES:
        found = rule(turn)
        if found is not None:
            return found
    return Reason("", "Look at what goes into it, and at what it is multiplied by.")


def _of_nothing(turn: Turn) -> Reason | None:
    values = [*turn.call.inputs, *turn.call.outputs]
    if not any(0 in value.shape for value in values):
        return None
    given = any(0 in value.shape for value in turn.call.inputs)
    return Reason(
        f", because what it {'is given' if given else 'chooses'} is empty",
        "Nothing was chosen for it in this step. It may be meant, as of an expert that no token "
        "was sent to; when it goes on, look at what chooses (balance a router, check a mask), and "
        "leave empty batches out.",
    )


def _of_overwriting(turn: Turn) -> Reason | None:
    if turn.call.name not in OVERWRITES:
        return None
    return Reason(
        ", because it overwrites the values by others",
        "Do not write over the result, or write into a copy of it.",
    )


def _of_zero_factor(turn: Turn) -> Reason | None:
    """Look for zeros among what the gradient is multiplied by."""
    for factor in _factors(turn.call):
        first = _first_zeros(factor)
        name = None if first.leaf is None else turn.names.get(first.leaf)
        if size_of(first) != 0 or name == turn.parameter:
            continue
        if name is not None:
            return Reason(
                f", because `{name}` is exactly zero",
                "It may be meant, as for LoRA's B at the first step: the gradient comes once "
                f"`{name}` has moved; initialise it with other values when it has not.",
            )
        return _of_zeros(first)
    if turn.call.number == 0:
        return Reason(
            ", because the number that it is multiplied by is exactly zero",
            "Look where that number comes from: a weight of a loss that a schedule has not raised "
            "yet, a factor that was set to zero and left so.",
        )
    return None


def _of_zeros(first: Value) -> Reason:
    """Name what made a factor that is no parameter, and is all zeros."""
    maker = _maker(first)
    if maker is None:
        return Reason(
            ", because what goes into it is exactly zero",
            "Look where those zeros come from: the data, or a mask that lets nothing through.",
        )
    what = f"what comes of {phrase(maker)} {at(maker.chain)}"
    advice = (
        f"Look at what {phrase(maker)} was given: as a mask or a gate it lets nothing through. "
        "It may be meant in a single step, as for an expert that no token was sent to."
    )
    if maker.name in SHAPE_OF_ALL or maker.name == "zeros":
        advice = f"Nothing was written into what {phrase(maker)} made, or zeros: look at what was."
    elif maker.name not in ("masked_fill", "where"):
        advice = _ADVICE.get(maker.name.rstrip("_"), advice)
    return Reason(f", because {what} is exactly zero", advice)


def _maker(value: Value) -> Call | None:
    """Find the call that made a value, before it was cast, or taken a part of."""
    while value.made_by is not None and value.made_by.name in PASSES:
        parents = [*value.flows, *value.lost, *value.plain]
        if len(parents) != 1:
            break
        value = parents[0]
    return value.made_by


def _factors(call: Call) -> list[Value]:
    """List what a call multiplies a gradient by; a normalisation, by its weight."""
    if call.name in NORMALIZES:
        return [value for value in call.inputs[1:] if value.leaf is not None][:1]
    if call.name not in PRODUCTS:
        return []
    return call.inputs[1:] if call.name.startswith("add") else call.inputs[:2]


def _first_zeros(value: Value) -> Value:
    """Follow zeros back to where they were made of something else."""
    seen: set[int] = set()
    while id(value) not in seen:
        seen.add(id(value))
        parents = [*value.flows, *value.lost, *value.plain]
        zero = next((each for each in parents if size_of(each) == 0), None)
        # A cast, a transpose: what it was made of alone. A product is zero by any of them.
        if zero is not None and (len(parents) == 1 or value.size is None or size_of(value) == 0):
            value = zero
    return value


def _of_margin(turn: Turn) -> Reason | None:
    rectified = turn.name in RECTIFIES and turn.result == 0 and turn.later <= REDUCES
    if turn.name not in MARGINS and not rectified:
        return None
    return Reason(
        ", because every term of the loss is zero",
        "Every example meets the margin already: it may be meant, and nothing is left to learn "
        "from these; else raise the margin, choose harder examples, or check the order and the "
        "sign of what is compared.",
    )


def _of_labels(turn: Turn) -> Reason | None:
    if turn.name not in LABELLED:
        return None
    if turn.result is not None and math.isnan(turn.result):
        return Reason(
            ", because no label counts, so it is a mean over nothing",
            "Every label is the ignore_index, or has the weight zero: look at how labels are "
            "masked, and leave such a batch out (the loss is NaN).",
        )
    return Reason(
        "",
        "No row has a part in it: every label is the ignore_index or has the weight zero, or every "
        "row is right already by logits so large that nothing is left. Look at how labels are "
        "masked, and at the size of the logits.",
    )


def _of_targets(turn: Turn) -> Reason | None:
    at_zero = turn.name in ("abs", "square", "pow", "norm", "vector_norm") and turn.given == [0.0]
    if turn.name not in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") and not at_zero:
        return None
    if at_zero:
        first = _first_zeros(turn.call.inputs[0])
        if first.leaf is None and (first.made_by is None or first.made_by.name != "sub"):
            return _of_zeros(first)
        return Reason(
            ", whose derivative is zero there, because what goes into it is exactly zero",
            "Look why it is: weights that begin at zero, or a difference of a thing and itself.",
        )
    return Reason(
        "",
        "The prediction is exactly the target: check that the target is not made from the "
        "prediction itself.",
    )


def _of_softmax(turn: Turn) -> Reason | None:
    if turn.name != "softmax":
        return None
    if any(value.shape[-1:] == (1,) for value in turn.call.outputs):
        return Reason(
            ", which is over a single element and always 1",
            "Take the softmax over all of them before the largest are chosen, or a sigmoid of the "
            "one.",
        )
    if turn.result is None or turn.result == 1:
        return Reason("", _ADVICE["softmax"])
    return Reason(
        ", because the gradient is the same for all of its elements, whose sum is always 1",
        "A loss that is a sum or a mean of a softmax over its own elements is constant: weigh "
        "them, or take what was meant of them.",
    )


def _of_normalization(turn: Turn) -> Reason | None:
    if turn.name not in NORMALIZES:
        return None
    if any(value.shape[-1:] == (1,) for value in turn.call.outputs):
        return Reason(
            ", which is over a single element, so that its result is constant",
            "Normalise over more than one element: look at its normalized_shape.",
        )
    return Reason(
        "",
        "A normalisation hands nothing on of a gradient that is the same for all elements, as from "
        "a mean of its result, which is constant; nor of values that are all the same.",
    )


def _of_attention(turn: Turn) -> Reason | None:
    if turn.name not in ("scaled_dot_product_attention", "multi_head_attention_forward"):
        return None
    return Reason(
        "",
        "Its mask leaves no query anything to look at (two masks together may), or a single "
        "position, or the scores are so large that it is saturated: look at the mask, then at the "
        "scale of the queries and keys.",
    )


def _of_joining(turn: Turn) -> Reason | None:
    if turn.name not in JOINS:
        return None
    return Reason(
        "",
        "What is joined there is used, and this part of it is not: look at what takes the largest, "
        "an excerpt or a weighted sum of the result.",
    )


def _of_underflow(turn: Turn) -> Reason | None:
    """Tell numbers that are too small for their type from those that were multiplied by zero."""
    values = [*turn.call.inputs, *turn.call.outputs]
    types = [value.dtype for value in values if value.dtype is not None and value.floating]
    if not types or turn.name in _ADVICE or turn.received is None:
        return None
    kind = max(types, key=_smallest)
    name = str(kind).removeprefix("torch.")
    small = torch.finfo(kind).max <= _LARGEST
    factor = 1.0 if turn.name in CASTS else max(turn.given, default=0.0)
    if turn.call.number is not None:
        factor = abs(turn.call.number)
    if not small and turn.received * factor > 1e3 * _smallest(kind):
        return None
    advice = (
        "Multiply the loss by a large number before backward(), and gradients by its inverse "
        "after it, as torch.amp.GradScaler does; or use bfloat16 or float32 there."
        if small
        else "Look at what makes the gradient so small up to there: a weight of a loss, a product "
        "of many small factors."
    )
    return Reason(f", because it is smaller than {name} can hold (it underflows)", advice)


def _smallest(kind: torch.dtype) -> float:
    """Return the smallest number above zero of a type."""
    limits = torch.finfo(kind)
    return float(limits.tiny * limits.eps)


def _of_call(turn: Turn) -> Reason | None:
    if turn.call.custom:
        return Reason(
            "", "Look at its backward: it returns zeros, as by a factor that is zero for now."
        )
    advice = _ADVICE.get(turn.name)
    return None if advice is None else Reason("", advice)


def _each(names: Iterable[str], advice: str) -> dict[str, str]:
    return dict.fromkeys(names, advice)


_ADVICE = {
    **_each(
        RECTIFIES,
        "Look at what goes into it: all of it is on the side where it is flat (negative, for a "
        "ReLU), so check initialisation, learning rate and normalisation before it, or use a leaky "
        "activation.",
    ),
    **_each(
        ("clamp", "clip", "clamp_min", "clamp_max", "hardtanh", "relu6"),
        "Everything lies beyond the limits: widen them, or do not clamp in training.",
    ),
    **_each(
        SATURATES,
        "It is saturated: make what goes into it smaller, or give the logits to a loss that takes "
        "them.",
    ),
    **_each(
        SELECTS,
        "Nothing of it was chosen, for another was always the larger (or the smaller): compare "
        "their sizes, or take a smooth stand-in such as logsumexp.",
    ),
    **_each(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"),
        "Everything was dropped: p is the share that is dropped, not the share that is kept.",
    ),
    "softmax": "The softmax is saturated to exact zeros and ones: make the logits smaller, or "
    "give the logits to a loss that takes them.",
    "where": "Everything was taken from the other branch: look at the condition.",
    "masked_fill": "Everything was masked: look at the mask.",
    "embedding": "Every index is the padding_idx, whose row gets no gradient: look at the tokens.",
}
"""By the call that made zeros, where its name is enough."""

_RULES: tuple[Callable[[Turn], Reason | None], ...] = (
    _of_nothing,
    _of_overwriting,
    _of_margin,
    _of_labels,
    _of_targets,
    _of_zero_factor,
    _of_softmax,
    _of_normalization,
    _of_attention,
    _of_joining,
    _of_underflow,
    _of_call,
)
