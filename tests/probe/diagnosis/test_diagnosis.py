"""The verdict on a parameter: which rule is asked, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.diagnosis.case import Case, Finding
from gradgate.probe.diagnosis.diagnosis import Diagnosis
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.gate_info import GateInfo
from tests.support.tracing import Recorded

X = torch.ones(3, 2)
FREEZE = Freeze("ann", "grad", 5, None)
GATE = GateInfo(
    4, "label:h", "True", "block", None, None, 0, False, "ann", None, 1, True, 1, 1, None, None,
    None, ()
)  # fmt: skip


class Net(nn.Module):
    """A layer, and a head that is called or not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(2, 2)
        self.heads = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2))})
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x)  # type: ignore[no-any-return]


class Asked:
    """A step of a model, about whose parameters can be asked."""

    def __init__(self, step: Callable[[nn.Module], object], model: nn.Module | None = None) -> None:
        self.model = model or Net()
        self.recorded = Recorded(lambda: step(self.model), self.model)

    def about(
        self, name: str = "stem.weight", state: str = "absent", **known: object
    ) -> Finding | None:
        """Ask about a parameter."""
        parameter = self.model.get_parameter(name)
        recorded = self.recorded
        diagnosis = Diagnosis(
            recorded.tape,
            recorded.backwards,
            recorded.modules,
            recorded.index,
            {id(p): n for n, p in self.model.named_parameters()},
            (),
        )
        given = {"in_optimizer": True, "owners": (name.rpartition(".")[0],), **known}
        return diagnosis.of(Case(0, name, id(parameter), state, **given))  # type: ignore[arg-type]

    def cause(self, name: str = "stem.weight", state: str = "absent", **known: object) -> str:
        found = self.about(name, state, **known)
        return "well" if found is None else found.cause


def train(model: nn.Module) -> None:
    model(X).sum().backward()


def test_the_state_decides_whom_to_ask() -> None:
    """What was wished comes first, and a gradient that is there is asked for its optimizer."""
    asked = Asked(train)
    assert asked.cause(state="frozen", freeze=FREEZE) == "frozen_by_command"
    assert asked.cause(state="frozen") == "frozen_by_script"
    assert asked.cause(state="gated", gate=GATE) == "gated"
    assert asked.cause(state="present") == "well"
    assert asked.cause(state="present", in_optimizer=False) == "not_in_optimizer"


def test_where_the_script_froze_it_is_known_if_it_did_so_in_the_step() -> None:
    """Else there is no line."""

    def step(model: nn.Module) -> None:
        model.stem.weight.requires_grad_(False)
        train(model)

    found = Asked(step).about(state="frozen")
    assert found is not None
    assert found.place is not None
    assert found.place.line == step.__code__.co_firstlineno + 1


def test_the_outermost_module_that_was_not_called_is_named() -> None:
    """Its inner ones were not called because it was not; a container is none."""
    found = Asked(train).about("heads.a.0.weight")
    assert found is not None
    assert found.detail.startswith("`heads.a.0.weight` belongs to `heads.a`, and the forward of")
    assert found.place is not None
    assert found.place.line == Net.forward.__code__.co_firstlineno


def test_a_parameter_of_a_module_that_ran_is_not_used() -> None:
    """Also if its forward was called directly, of which no hook tells."""
    assert Asked(train).cause("scale") == "parameter_not_used"

    def directly(model: nn.Module) -> None:
        model.forward(X).sum().backward()

    assert Asked(directly).cause("scale") == "parameter_not_used"
    assert Asked(lambda model: model.stem(X).sum().backward()).cause("scale") == "module_not_called"


@pytest.mark.parametrize(
    ("cut", "cause"),
    [
        (lambda h: h.detach(), "detached"),
        (lambda h: h.data, "detached"),
        (lambda h: torch.tensor(h.tolist()), "detached"),
        (lambda h: h.argmax(1).float(), "not_differentiable"),
        (lambda h: h.long().float(), "not_differentiable"),
        (lambda h: (h > 0).float(), "not_differentiable"),
    ],
)
def test_a_cut_is_named_by_what_it_is(cut: Callable[[Tensor], Tensor], cause: str) -> None:
    """On the only way to the loss."""

    def step(model: nn.Module) -> None:
        (cut(model(X)).sum() * model.scale).sum().backward()

    assert Asked(step).cause() == cause


def test_gradients_that_were_off_come_before_what_was_called() -> None:
    """A detach inside of ``no_grad`` changes nothing."""

    def step(model: nn.Module) -> None:
        with torch.no_grad():
            h = model(X).detach()
        (h * model.scale).sum().backward()

    def detach(model: nn.Module) -> None:
        h = model(X)
        with torch.no_grad():
            h = h.detach()
        (h * model.scale).sum().backward()

    assert Asked(detach).cause() == "no_grad"
    found = Asked(step).about()
    assert found is not None
    assert (found.cause, found.stopped_by) == ("no_grad", "no_grad")
    assert found.place is not None
    assert found.place.line == step.__code__.co_firstlineno + 1


def test_a_reentrant_checkpoint_without_a_gradient_builds_no_graph() -> None:
    """One with a gradient hides its inside."""

    def step(model: nn.Module) -> None:
        (checkpoint(model, X, use_reentrant=True) * model.scale).sum().backward()

    with pytest.warns(UserWarning, match="None of the inputs"):
        found = Asked(step).about()
    assert found is not None
    assert found.stopped_by == "checkpoint"


def test_every_other_cut_is_told() -> None:
    """Each place once, without that of the first."""

    def step(model: nn.Module) -> None:
        h = model(X)
        parts = [h.detach(), h.detach()]
        parts += [h.data for _ in range(2)]
        (sum(parts) * model.scale).sum().backward()

    found = Asked(step).about()
    assert found is not None
    line = step.__code__.co_firstlineno
    assert f":{line + 2}" in found.detail
    assert found.detail.count(f":{line + 3}") == 1


def test_what_has_no_part_in_the_loss_is_told_from_a_loss_without_backward() -> None:
    """A number at the end of the flow could have been one."""

    def output(model: nn.Module) -> None:
        model(X)
        model.scale.sum().backward()

    def number(model: nn.Module) -> None:
        model(X).sum()
        model.scale.sum().backward()

    def nothing(model: nn.Module) -> None:
        model(X).sum()

    assert Asked(output).cause() == "not_in_loss"
    assert Asked(number).cause() == "no_backward"
    alone = Asked(nothing).about()
    assert alone is not None
    assert (alone.cause, alone.way[-1].made_by is None) == ("no_backward", False)


def test_numbers_that_left_and_came_back_are_a_detour() -> None:
    """Both places are told."""

    def step(model: nn.Module) -> None:
        number = model(X).sum().item()
        (torch.full((2,), number) * model.scale).sum().backward()

    found = Asked(step).about()
    assert found is not None
    assert found.cause == "detached"
    assert "`item()`" in found.detail


def test_a_step_that_nobody_saw_is_unknown() -> None:
    """Or saw in part."""
    asked = Asked(lambda model: None)
    found = asked.about()
    assert found is not None
    assert "another thread" in found.detail
    asked = Asked(train)
    asked.recorded.tape.full = True
    found = asked.about()
    assert found is not None
    assert "too long" in found.detail


def test_what_torch_func_hides_is_unknown() -> None:
    """What came out of it cannot be followed."""

    def step(model: nn.Module) -> None:
        torch.vmap(lambda x: (x * model.scale).sum())(X)
        model.stem(X).sum().backward()

    found = Asked(step).about("scale", owners=("",))
    assert found is not None
    assert found.cause == "unknown"
    assert "torch.func" in found.detail


def test_a_way_that_is_open_is_asked_for_its_backward() -> None:
    """The gradient came, and was cleared."""

    def step(model: nn.Module) -> None:
        train(model)
        model.stem.weight.grad = None

    found = Asked(step).about()
    assert found is not None
    assert found.stopped_by == "cleared"


def test_zeros_and_nan_are_asked_of_the_backward() -> None:
    """By their states."""
    asked = Asked(lambda model: (model(X) * 0).sum().backward())
    assert asked.cause(state="zero") == "zero_gradient"
    asked = Asked(lambda model: (model(X) * float("nan")).sum().backward())
    assert asked.cause(state="nonfinite") == "nonfinite"
