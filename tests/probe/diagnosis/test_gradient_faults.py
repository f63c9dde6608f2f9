"""Where a gradient on its way turned bad, and where a value first did."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gradgate.probe.diagnosis.backward_record import NodeRecord
from gradgate.probe.diagnosis.case import Case, Finding
from gradgate.probe.diagnosis.gradient_faults import (
    BACKWARD,
    HOOK,
    ROOT,
    SUM,
    GradientFaults,
    arrived,
    faults,
    is_nonfinite,
    is_nothing,
    is_zero,
)
from gradgate.probe.diagnosis.tape import size_of
from gradgate.probe.model.gate_info import GateInfo
from tests.support.tracing import Recorded, value


def node(
    *above: tuple[NodeRecord, float | None],
    order: int = 0,
    leaf: int | None = None,
    **known: object,
) -> NodeRecord:
    """A node, and what each one above it passed on to it."""
    made = NodeRecord(object(), [], leaf, order=order, **known)  # type: ignore[arg-type]
    for each, sent in above:
        each.edges.append(made)
        each.passed[len(each.edges) - 1] = [sent]
        made.above.append((each, len(each.edges) - 1))
    return made


def root(size: float = 1.0) -> NodeRecord:
    return node(root=True, order=1, arrived=[size])


def test_the_backward_that_made_zeros_is_at_fault() -> None:
    """What arrived at it was fine, and what it passed on is not."""
    loss = root()
    relu = node((loss, 1.0), order=2, arrived=[1.0])
    linear = node((relu, 0.0), order=3, arrived=[0.0])
    (fault,) = faults([node((linear, 0.0))], is_zero)
    assert (fault.record, fault.by) == (relu, BACKWARD)


def test_a_backward_that_began_badly_is_at_fault_itself() -> None:
    """The root was given zeros."""
    loss = root(0.0)
    (fault,) = faults([node((loss, 0.0))], is_zero)
    assert (fault.record, fault.by) == (loss, ROOT)


def test_a_hook_is_at_fault_where_what_arrived_is_not_what_was_sent() -> None:
    """With one way; with several they may cancel."""
    loss = root()
    hooked = node((loss, 1.0), order=2, arrived=[0.0])
    (fault,) = faults([node((hooked, 0.0))], is_zero)
    assert (fault.record, fault.by) == (hooked, HOOK)
    both = node((loss, 1.0), (loss, -1.0), order=2, arrived=[0.0])
    (fault,) = faults([node((both, 0.0))], is_zero)
    assert (fault.record, fault.by) == (both, SUM)
    both.sums = [2.0]
    (fault,) = faults([node((both, 0.0))], is_zero)
    assert (fault.record, fault.by) == (both, HOOK)


def test_of_several_ways_the_nearest_to_the_loss_is_the_first() -> None:
    """What never ran is the last."""
    loss = root()
    near, far = (node((loss, 1.0), order=n, arrived=[1.0]) for n in (2, 5))
    never = node((loss, 1.0), arrived=[1.0])
    found = faults([node((never, None), (far, 0.0), (near, 0.0))], is_zero)
    assert [fault.record for fault in found] == [near, far, never]


def test_one_infinite_way_is_enough() -> None:
    """The others being fine, the sum is infinite all the same."""
    loss = root()
    fine = node((loss, 1.0), order=2, arrived=[1.0])
    bad = node((loss, 1.0), order=3, arrived=[1.0])
    leaf = node((fine, 1.0), (bad, math.inf))
    assert [fault.record for fault in faults([leaf], is_nonfinite)] == [bad]
    assert [fault.by for fault in faults([leaf], is_zero)] == [SUM]


def test_of_several_backwards_the_bad_one_is_at_fault() -> None:
    """Where none is, what they passed on to the leaf cancels."""
    loss, other = root(), root()
    bad = node((loss, 1.0), order=2, arrived=[1.0])
    leaves = [node((other, 1.0), leaf=7), node((bad, math.nan), leaf=7)]
    assert [fault.record for fault in faults(leaves, is_nonfinite)] == [bad]
    assert [fault.by for fault in faults(leaves, is_zero)] == [SUM, SUM]


def test_a_leaf_has_its_gradient_when_something_was_sent_to_it() -> None:
    """Zeros are something."""
    loss = root()
    assert arrived([node((loss, 0.0))])
    assert not arrived([node((loss, None))])
    assert faults([node((loss, None))], is_nothing)[0].record is loss


@pytest.mark.parametrize(
    ("size", "nothing", "zero", "nonfinite"),
    [
        (None, True, True, False),
        (0.0, False, True, False),
        (2.0, False, False, False),
        (math.inf, False, False, True),
        (math.nan, False, False, True),
    ],
)
def test_sizes_are_bad_in_three_ways(
    size: float | None, nothing: bool, zero: bool, nonfinite: bool
) -> None:
    """Nothing is as good as zeros."""
    assert (is_nothing(size), is_zero(size), is_nonfinite(size)) == (nothing, zero, nonfinite)


def test_a_view_is_as_large_as_what_it_is_a_view_of() -> None:
    """What was made of several has no size by them."""
    base, view, several = value(), value(), value()
    base.size = 3.0
    view.flows = [base]
    several.flows = [base, view]
    assert (size_of(view), size_of(several)) == (3.0, None)
    base.size = torch.tensor(3.0)  # not read
    assert size_of(view) is None


# The verdict, on small real steps.

GATE = GateInfo(
    4, "output:head", "True", "scale", 0.0, None, 0, False, "ann", None, 1, True, 1, 1, None, None,
    None, ()
)  # fmt: skip


def verdict(state: str, x: Tensor, step: object, *zeroing: GateInfo) -> Finding | None:
    """Judge a leaf by its gradient after a step."""
    recorded = Recorded(step)  # type: ignore[arg-type]
    judge = GradientFaults(
        recorded.tape, recorded.backwards, recorded.dataflow, {id(x): "x", id(B): "b"}, zeroing
    )
    case = Case(0, "x", id(x), state, True, ())
    ask = {"zero": judge.zero, "nonfinite": judge.nonfinite, "absent": judge.not_arrived}
    return ask[state](case)


B = torch.zeros(2, requires_grad=True)


def leaf() -> Tensor:
    return torch.tensor([1.0, 2.0], requires_grad=True)


def test_zeros_are_laid_at_the_call_that_made_them() -> None:
    """A parameter of zeros that it is multiplied by is named."""
    x = leaf()
    found = verdict("zero", x, lambda: (x * B).sum().backward())
    assert found is not None
    assert found.detail.startswith("The gradient on its way to `x` becomes exactly zero in `mul()`")
    assert "because `b` is exactly zero" in found.detail
    found = verdict("zero", x, lambda: (x - 10).relu().sum().backward())
    assert found is not None
    assert found.stopped_by == "relu()"


def test_a_staircase_has_no_derivative() -> None:
    """Its zeros are not of the values."""
    x = leaf()
    found = verdict("zero", x, lambda: x.round().sum().backward())
    assert found is not None
    assert (found.cause, found.stopped_by) == ("not_differentiable", "round()")


def test_uses_that_cancel_are_a_sum() -> None:
    """Each alone would give a gradient."""
    x = leaf()

    def step() -> None:
        h = x.exp()
        (h - h).sum().backward()

    found = verdict("zero", x, step)
    assert found is not None
    assert found.stopped_by == "cancels"
    assert "the result of `exp()`" in found.detail


def test_a_hook_is_a_gates_where_a_gate_makes_zeros() -> None:
    """Only where one does; else it is the script's."""
    x = leaf()

    def step() -> None:
        h = x.exp()
        h.register_hook(torch.zeros_like)
        h.sum().backward()

    found = verdict("zero", x, step)
    assert found is not None
    assert found.cause == "zero_gradient"
    assert "A hook on the result of `exp()`" in found.detail
    gated = verdict("zero", x, step, replace(GATE, site="label:h"))
    assert gated is not None
    assert (gated.cause, gated.stopped_by) == ("gated", "gate 4")
    other = verdict("zero", x, step, GATE)  # of a module's output, and this is none's
    assert other is not None
    assert other.cause == "zero_gradient"


def test_a_hook_that_changes_a_sum_is_no_cancelling() -> None:
    """And uses that cancel are no hook's, though there be one; its line is known."""
    x = leaf()

    def step(sign: float) -> None:
        h = x.exp()
        h.register_hook(lambda gradient: gradient * 0)
        (h.sin() + sign * h.sin()).sum().backward()

    found = verdict("zero", x, lambda: step(1.0))
    assert found is not None
    assert found.stopped_by == "a hook"
    assert found.place is not None
    assert found.place.line == step.__code__.co_firstlineno + 2
    found = verdict("zero", x, lambda: step(-1.0))
    assert found is not None
    assert found.stopped_by == "cancels"


def test_without_a_hook_none_is_blamed() -> None:
    """What changed the gradient inside of the backward is not known, or is another rank's."""
    x = leaf()
    (loose,) = [x.expand(2).sin()]
    node_of = x.view_as(x).grad_fn
    assert node_of is not None
    accumulate = node_of.next_functions[0][0]
    assert accumulate is not None
    accumulate.register_prehook(lambda gradients: (gradients[0] * math.nan,))
    found = verdict("nonfinite", x, lambda: loose.sum().backward())
    assert found is not None
    assert found.cause == "unknown"
    assert "no hook is on it" in found.detail


def test_a_backward_that_returns_nothing_is_named() -> None:
    """It ran, and gave None."""

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> None:
            return None

    x = leaf()
    found = verdict("absent", x, lambda: Stop.apply(x).sum().backward())  # type: ignore[no-untyped-call]
    assert found is not None
    assert "The backward of the custom function `Stop`" in found.detail


def test_a_gradient_that_went_is_cleared_unless_it_was_used() -> None:
    """By hand, into the parameter."""
    x = leaf()

    def clear() -> None:
        x.sum().backward()
        x.grad = None

    def apply() -> None:
        x.sum().backward()
        with torch.no_grad():
            x.sub_(x.grad)
        x.grad = None

    def apply_to_data() -> None:
        x.sum().backward()
        x.data.sub_(x.grad)
        x.grad = None

    found = verdict("absent", x, clear)
    assert found is not None
    assert found.stopped_by == "cleared"
    assert found.place is not None
    assert found.place.line == clear.__code__.co_firstlineno + 2
    assert verdict("absent", x, apply) is None
    assert verdict("absent", x, apply_to_data) is None


def test_a_gradient_that_was_returned_is_not_stored() -> None:
    """And one that was not asked for is left out."""
    x, y = leaf(), leaf()
    found = verdict("absent", x, lambda: torch.autograd.grad((x * y).sum(), [x]))
    assert found is not None
    assert found.stopped_by == "grad()"
    other = verdict("absent", x, lambda: torch.autograd.grad((x * y).sum(), [y]))
    assert other is not None
    assert other.stopped_by == "inputs="
