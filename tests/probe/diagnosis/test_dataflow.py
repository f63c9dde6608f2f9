"""What came of what: followed forward from parameters, and back from the loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.diagnosis.dataflow import Dataflow
from gradgate.probe.diagnosis.tape import Tape, Value
from tests.support.tracing import Recorded, call, value


def leaf() -> Tensor:
    return torch.ones(2, requires_grad=True)


def made_by(values: list[Value]) -> list[str | None]:
    """The names of the calls that made some values."""
    return [None if each.made_by is None else each.made_by.name for each in values]


def test_a_flow_leads_to_all_that_was_made_with_a_gradient() -> None:
    """Nearest first, and not past a detach."""
    x = leaf()
    step = Recorded(lambda: x.exp().sin().detach().cos().sum())
    assert made_by(step.dataflow.flow(step.leaves(x))) == [None, "exp", "sin"]


def test_a_gradient_reaches_what_a_loss_was_made_of() -> None:
    """What was detached on the way has a part in the loss, and gets none."""
    x, y = leaf(), leaf()
    step = Recorded(lambda: (x.exp() + y.sin().detach()).sum().backward())
    flow = step.dataflow
    assert flow.reaches(step.leaves(x))
    assert not flow.reaches(step.leaves(y))
    assert flow.in_loss(step.made_by("sin"))
    assert flow.in_loss(step.leaves(y)[0])


def test_a_way_is_a_short_one_to_the_loss() -> None:
    """With a gradient where there is one, though another is shorter."""
    x = leaf()

    def step() -> None:
        (x.detach() + x.exp().sin()).sum().backward()

    recorded = Recorded(step)
    way = recorded.dataflow.way(recorded.leaves(x), through=recorded.made_by("sin"))
    assert made_by(way) == [None, "exp", "sin", "add", "sum"]
    assert made_by(recorded.dataflow.way(recorded.leaves(x))) == [None, "exp", "sin", "add", "sum"]


def test_there_is_no_way_where_the_loss_does_not_depend_on_it() -> None:
    """Neither to the loss, nor between two values that have nothing in common."""
    x, y = leaf(), leaf()

    def step() -> None:
        x.exp()
        y.sum().backward()

    recorded = Recorded(step)
    flow = recorded.dataflow
    assert flow.way(recorded.leaves(x)) == []
    assert flow.between(recorded.leaves(x), recorded.made_by("sum")) == []
    assert made_by(flow.between(recorded.leaves(x), recorded.made_by("exp"))) == [None, "exp"]
    assert flow.is_end(recorded.made_by("exp"))
    assert not flow.is_end(recorded.leaves(x)[0])


def test_a_way_is_one_that_is_cut_the_fewest_times() -> None:
    """Then a short one; where it is cut, and cut again, can be told."""
    x = leaf()

    def step() -> None:
        (x.detach().data + x.exp().sin().cos().detach()).sum()

    recorded = Recorded(step)
    flow = recorded.dataflow
    way = flow.way(recorded.leaves(x))
    assert made_by(way) == [None, "exp", "sin", "cos", "detach", "add", "sum"]
    assert made_by(flow.cut_again(recorded.leaves(x)[0])) == ["detach"]
    assert flow.cut_again(way[4]) == []


def test_the_first_cut_is_one_that_no_other_follows() -> None:
    """To mend the earlier one would not help, for its way is cut again by what ran without."""
    x = leaf()

    def step() -> None:
        early = x.exp().detach()
        with torch.no_grad():
            again = early.sin()
        (again.cos() + x.tan().data).sum()

    recorded = Recorded(step)
    flow = recorded.dataflow
    cuts = flow.cuts(flow.flow(recorded.leaves(x)))
    assert made_by([after for _, after in cuts]) == ["data", "detach"]
    assert made_by(flow.cut_again(cuts[1][1])) == ["sin"]


def test_an_inner_gradient_is_beside_the_weights_that_it_changes() -> None:
    """So the outer loss is cut off first where they are, though the gradient comes before."""
    w = leaf()

    def step() -> None:
        (slope,) = torch.autograd.grad(w.exp().sum(), w)
        (w * 2 - slope).detach().requires_grad_().sin().sum().backward()

    def number() -> None:
        scale = w.exp().sum().item()
        (w.data.requires_grad_() * scale).sum().backward()

    for each, expected in ((step, ["detach", "grad"]), (number, ["data", "item"])):
        recorded = Recorded(each)
        flow = Dataflow(recorded.tape, {id(w)})
        cuts = flow.cuts(flow.flow(recorded.leaves(w)))
        assert made_by([after for _, after in cuts]) == expected


def test_cuts_are_in_the_order_of_time() -> None:
    """The last value with a gradient, and the first without, on the way to a loss only."""
    x = leaf()

    def step() -> None:
        h = x.exp()
        h.detach().cos()  # leads nowhere
        (h.floor().detach() + h.data).sum()

    recorded = Recorded(step)
    flow = recorded.dataflow
    cuts = flow.cuts(flow.flow(recorded.leaves(x)))
    assert [(made_by([a])[0], made_by([b])[0]) for a, b in cuts] == [
        ("floor", "detach"),
        ("exp", "data"),
    ]


def test_indices_that_come_with_a_value_are_no_first_cut() -> None:
    """``max`` gives both, and the gradient's way is that of the values."""
    x = leaf()

    def step() -> None:
        values, indices = x.exp().max(0, keepdim=True)
        (values.detach() * indices).sum()

    recorded = Recorded(step)
    flow = recorded.dataflow
    cuts = flow.cuts(flow.flow(recorded.leaves(x)))
    assert [after.floating for _, after in cuts] == [True, False]


def test_a_way_through_a_written_parameter_counts_only_alone() -> None:
    """An average of the weights depends on them, and is no use of theirs in the loss."""

    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))
            self.average = nn.Parameter(torch.ones(2))

    model = Averaged()

    def average() -> None:
        with torch.no_grad():
            model.average.lerp_(model.weight, 0.1)

    def both() -> None:
        average()
        (model.average + model.weight.exp().detach()).sum().backward()

    def alone() -> None:
        average()
        model.average.sum().backward()

    for step, expected in ((both, ["detach"]), (alone, ["lerp_"])):
        recorded = Recorded(step, model)
        flow = recorded.dataflow
        cuts = flow.cuts(flow.flow(recorded.leaves(model.weight)))
        assert made_by([after for _, after in cuts]) == expected


def test_a_backward_for_the_data_alone_is_of_no_loss() -> None:
    """A gradient penalty asks for the gradient of its input; the parameters' loss comes after."""
    model, x = nn.Linear(2, 1), leaf()

    def step() -> None:
        (slope,) = torch.autograd.grad(model(x).exp().sum(), x, create_graph=True)
        slope.square().sum().backward()

    recorded = Recorded(step, model)
    assert made_by(recorded.dataflow.roots) == ["sum"]

    def looked_at() -> None:
        torch.autograd.grad(model(x).exp().sum(), x)
        model(x).mean().backward()

    assert made_by(Recorded(looked_at, model).dataflow.roots) == ["mean"]


@pytest.mark.parametrize("create_graph", [True, False])
def test_a_gradient_that_went_into_another_loss_is_of_an_inner_one(create_graph: bool) -> None:
    """Unless it was written into a parameter before, or is not looked at any more."""
    model = nn.Linear(2, 1)
    weights = list(model.parameters())

    def slopes() -> tuple[Tensor, ...]:
        loss = model(torch.ones(3, 2)).exp().sum()
        return torch.autograd.grad(loss, weights, create_graph=create_graph)

    def inner() -> None:
        weight, bias = (w - slope for w, slope in zip(weights, slopes(), strict=True))
        nn.functional.linear(torch.ones(3, 2), weight, bias).mean().backward()

    def forgotten() -> None:
        (weights[0] - slopes()[0]).mean()

    def applied() -> None:
        for _ in range(2):
            found = slopes()
            with torch.no_grad():
                torch._foreach_sub_(weights, found)

    def measured() -> None:
        slopes()[0].detach().norm().item()
        model(torch.ones(3, 2)).mean().backward()

    roots = {
        step.__name__: made_by(Recorded(step, model).dataflow.roots)
        for step in (inner, forgotten, applied, measured)
    }
    assert roots == {
        "inner": ["mean"],
        "forgotten": ["mean"],
        "applied": ["sum", "sum"],
        "measured": ["sum", "mean"],
    }


def test_each_loss_is_known_by_what_a_gradient_of_it_reaches() -> None:
    """A value may get gradients from several, or from none."""
    x, y = leaf(), leaf()

    def step() -> None:
        h = x.exp()
        h.sum().backward(retain_graph=True)
        (h * y.detach()).mean().backward()

    recorded = Recorded(step)
    flow = recorded.dataflow
    assert [made_by(each.roots) for each in flow.losses_of(recorded.leaves(x))] == [
        ["sum"],
        ["mean"],
    ]
    assert flow.losses_of(recorded.leaves(y)) == []


def test_without_a_backward_the_numbers_at_the_end_are_the_loss() -> None:
    """Those with a gradient; the last of all where none has one."""
    x = leaf()

    def step() -> None:
        x.exp().sum()
        x.sin().mean()

    assert made_by(Recorded(step).dataflow.roots) == ["sum", "mean"]

    def without() -> None:
        x.detach().exp().sum()
        x.detach().sin().mean().item()

    recorded = Recorded(without)
    assert recorded.dataflow.in_loss(recorded.made_by("mean"))
    assert not recorded.dataflow.in_loss(recorded.made_by("sum"))


def test_what_nothing_was_made_of_is_not_used() -> None:
    """A value that was lost or is plain was used all the same."""
    used, lost, plain, unused = value(), value(), value(carries=False), value()
    made = value(call("add"))
    made.flows, made.lost, made.plain = [used], [lost], [plain]
    flow = Dataflow(Tape(values=[used, lost, plain, unused, made]))
    assert [flow.used(each) for each in (used, lost, plain, unused)] == [True, True, True, False]
    assert flow.next_of(plain) == [made]
