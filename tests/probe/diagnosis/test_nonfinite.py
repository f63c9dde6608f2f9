"""Where NaN or infinity in a gradient came from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.diagnosis.case import Case, Finding
from gradgate.probe.diagnosis.gradient_faults import GradientFaults
from gradgate.probe.diagnosis.nonfinite import is_bad, masked, origin
from gradgate.probe.model.onset import Onset
from tests.support.tracing import Recorded, call, value


@pytest.mark.parametrize(
    ("name", "size", "bad"),
    [
        ("log", -math.inf, True),
        ("masked_fill", -math.inf, False),
        ("masked_fill", math.nan, True),
        ("log", 1.0, False),
    ],
)
def test_the_infinity_of_a_mask_is_meant(name: str, size: float, bad: bool) -> None:
    """A NaN never is."""
    made = value(call(name))
    made.size = size
    assert is_bad(made) is bad


BIAS = torch.zeros(3, 3).masked_fill(torch.ones(3, 3).tril() > 0, -math.inf)


@pytest.mark.parametrize(
    ("attend", "meant"),
    [
        (lambda s: s.masked_fill(s.detach() > -9, -math.inf).softmax(-1), True),
        (lambda s: (s + BIAS[None]).softmax(-1), True),
        (lambda s: ((s - 1).masked_fill(BIAS == 0, -math.inf) + BIAS).log_softmax(-1), True),
        (lambda s: (s * math.inf).softmax(-1), False),
        (lambda s: (s.exp().log() + (s - s).log()).softmax(-1), False),
    ],
)
def test_a_row_that_is_masked_altogether_is_told_from_infinite_scores(
    attend: Callable[[Tensor], Tensor], meant: bool
) -> None:
    """A mask is filled in or added; scores that were computed are no mask."""
    scores = torch.rand(1, 3, 3, requires_grad=True)
    recorded = Recorded(lambda: attend(scores).sum().backward())
    (call_,) = (each for each in recorded.tape.calls if "softmax" in each.name)
    assert masked(call_) is meant
    assert (origin(call_).call is call_) is meant


def test_the_first_bad_value_is_where_it_began() -> None:
    """Followed back through what it was made of, to a call or to what was given."""
    given, made, used = value(), value(call("log")), value(call("mul"))
    for each in (given, made, used):
        each.size = math.nan
    made.flows, used.flows = [given], [made]
    last = call("sum")
    last.inputs = [used]
    assert (origin(last).call, origin(last).given) == (made.made_by, given)
    given.size = 1.0
    assert (origin(last).call, origin(last).given) == (made.made_by, None)
    used.size = 1.0
    assert (origin(last).call, origin(last).given) == (None, None)


# The verdict, on small real steps.


def judged(
    model: nn.Module, step: Callable[[], object], name: str, onset: Onset | None = None
) -> Finding:
    """Judge a parameter by its gradient after a step."""
    recorded = Recorded(step, model)
    names = {id(p): key for key, p in recorded.parameters.items()}
    known = {**recorded.index.buffers(), **names}
    judge = GradientFaults(recorded.tape, recorded.backwards, recorded.dataflow, known, ())
    key = id(recorded.parameters[name])
    return judge.nonfinite(Case(0, name, key, "nonfinite", True, (), onset=onset))


class One(nn.Module):
    """A parameter, a buffer, and any step."""

    scale: Tensor

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(values or (1.0, 2.0)))
        self.register_buffer("scale", torch.tensor([math.inf, 1.0]))


BAD = torch.tensor([math.nan, 1.0])
ROW = torch.stack([BAD, BAD])[0]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (lambda m: (m.x * BAD).sum(), "What goes into `mul()`"),
        (lambda m: (m.x * ROW).sum(), "What goes into `mul()`"),
        (lambda m: (m.x * (BAD + 1)).sum(), "What goes into `add()`"),
        (lambda m: (m.x * m.scale).square().sum(), "The buffer `scale`, which `mul()` uses"),
        (lambda m: (m.x * torch.tensor([math.nan, 1])).sum(), "`tensor()`.*from outside of torch"),
        (lambda m: (m.x - 1).log().square().sum(), "`log()` at .* gives NaN"),
        (lambda m: (m.x - 1).sqrt().sum(), "The backward of `sqrt()`"),
        (lambda m: m.x.sum() * math.inf, "`mul()`"),
    ],
)
def test_nan_is_laid_at_what_made_it(step: Callable[[One], Tensor], says: str) -> None:
    """What was given, the call, or its backward alone."""
    model = One()
    found = judged(model, lambda: step(model).backward(), "x")
    assert re.search(says.replace("()", r"\(\)"), found.detail), found.detail
    assert found.place is not None
    assert found.goes_on


def test_a_backward_may_begin_with_it() -> None:
    """It was given to ``backward``, or the factor of a loss is too large."""
    model = One()
    found = judged(model, lambda: model.x.sum().backward(torch.tensor(math.inf)), "x")
    assert "began with" in found.detail
    assert found.stop is found.way[-1]


def test_a_sum_of_finite_gradients_may_be_too_large() -> None:
    """For its type: each use gives the largest number that there is."""
    model = One()
    most = torch.finfo(torch.float32).max

    def step() -> None:
        y = model.x * 1
        ((y * most) + (y * most)).backward(torch.ones(2))

    found = judged(model, step, "x")
    assert "their sum is not" in found.detail
    assert found.place is not None


def test_a_weight_that_held_it_is_named_and_no_line() -> None:
    """Where it is used it only passes through; so too for one that is frozen."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    found = judged(model, lambda: model(torch.ones(3, 2)).sum().backward(), "1.weight")
    assert found.detail.startswith("`0.weight` holds NaN or infinity when the step begins")
    assert found.place is None


# What is known of the step in which it began.


class Rooted(nn.Module):
    """A root between two layers, at which its derivative may be infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x / 2.0) ** 2
        return self.b(h.sqrt())  # type: ignore[no-any-return]


def later(
    model: nn.Module, *, spoilt: list[str], sound: list[str], before: list[str] | None, **known: int
) -> Finding:
    """Judge ``a.weight`` in a later step, when all weights are NaN."""
    ids = {name: id(p) for name, p in model.named_parameters()}
    onset = Onset(
        known.get("step", 6),
        known.get("finite_at", 5),
        frozenset(ids[name] for name in spoilt),
        frozenset(ids[name] for name in sound),
        None if before is None else frozenset(ids[name] for name in before),
        frozenset(ids.values()),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    return judged(model, lambda: model(torch.ones(3, 4)).exp().sum().backward(), "a.weight", onset)


def test_the_step_and_the_only_call_that_can_have_made_it_are_named() -> None:
    """A power with a whole exponent and a division by a number cannot."""
    model = Rooted()
    found = later(model, spoilt=["a.weight"], sound=["b.weight", "b.bias"], before=[])
    assert "since step 6" in found.detail
    assert "`a.weight` a gradient that was not" in found.detail
    assert "those of `b.weight` and `b.bias` were finite" in found.detail
    assert "a gradient came first" in found.detail
    assert "only `sqrt()`" in found.detail
    assert found.place is not None
    assert found.place.line == Rooted.forward.__code__.co_firstlineno + 2


def test_of_several_none_is_chosen() -> None:
    """All are told, and none is the place; what is nearer to the loss is none of them."""

    class Twice(Rooted):
        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x).exp()
            return self.b(h.log())  # type: ignore[no-any-return]

    found = later(Twice(), spoilt=["a.weight"], sound=["b.weight", "b.bias"], before=[])
    assert "these have points" in found.detail
    assert "`exp()`" in found.detail
    assert "`log()`" in found.detail
    assert found.place is None


def test_a_value_of_the_forward_may_have_been_first() -> None:
    """Where no gradient was finite, a call is told and not accused: the data may have been bad."""
    found = later(Rooted(), spoilt=["a.weight", "b.weight", "b.bias"], sound=[], before=[])
    assert "since step 6" in found.detail
    assert "a value of its forward, its data or the gradient of its loss" in found.detail
    assert "In such a step, these have points" in found.detail
    assert "`sqrt()`" in found.detail
    assert found.place is None


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({}, "The weights came first: `b.bias` held .* when step 6 began, though every gradient"),
        ({"step": 1}, "`b.bias` held .* when step 1 began, the first of the run"),
        ({"finite_at": 2}, "those of step 2 were finite, and the steps between were not sampled"),
    ],
)
def test_weights_may_have_been_first(known: dict[str, int], says: str) -> None:
    """They were so before any gradient was."""
    everything = ["a.weight", "b.weight", "b.bias"]
    found = later(Rooted(), spoilt=everything, sound=[], before=["b.bias"], **known)
    assert re.search(says, found.detail), found.detail
    assert found.place is None


def test_what_nobody_saw_is_not_said() -> None:
    """On an accelerator nobody waits to look at the weights."""
    found = later(Rooted(), spoilt=["a.weight"], sound=["b.weight"], before=None)
    assert "Gradients do since step 6; those of step 5 were finite" in found.detail
    assert "Whether a weight or a gradient came first was not seen" in found.detail
