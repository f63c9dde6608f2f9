"""Whose code made a call, and where."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.autograd import Function
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from gradgate import probe
from gradgate.probe.base import source
from gradgate.probe.base.guard import hand_on
from gradgate.probe.base.source import (
    CHECKPOINT,
    FUNCTION,
    Callers,
    Chain,
    Place,
    snippet,
)
from gradgate.server.protocol.fields import Place as ToldPlace
from tests.support.tracing import code

HERE = str(Path(__file__))


def line() -> int:
    """The line that calls this."""
    return sys._getframe(1).f_lineno


@pytest.fixture(params=["as it is", "c"])
def apply(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Custom functions applied as this torch does, and in C, as 2.14 and later do."""
    if request.param == "c":
        monkeypatch.setattr(Function, "apply", vars(torch._C._FunctionBase)["apply"])


class Told:
    """What the inside of a custom function sees of who called it."""

    chain: Chain
    name: str

    def look(self, callers: Callers) -> None:
        self.chain = callers.chain(sys._getframe())
        self.name = callers.function(sys._getframe())


class Plain(Function):
    """Tells from inside who called it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, callers: Callers, told: Told) -> Tensor:
        told.look(callers)
        return x * 2

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] * 2, None, None


class Derived(Plain):
    """Inherits from a custom function, and has a forward of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, callers: Callers, told: Told) -> Tensor:
        told.look(callers)
        return x * 3


class Inner(Function):
    """Applies another one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, callers: Callers, told: Told) -> Tensor:
        Plain.apply(x, callers, told)  # type: ignore[no-untyped-call]
        return x.clone()


@pytest.mark.usefixtures("apply")
@pytest.mark.parametrize(
    ("function", "name"),
    [(Plain, "Plain"), (Derived, "Derived"), (Inner, "Plain")],
    ids=["plain", "derived", "nested"],
)
def test_the_inside_of_a_custom_function_is_not_where_it_was_called(
    function: Any, name: str
) -> None:
    """The chain begins at the line that applies it, the outermost one of several."""
    callers, told = Callers(), Told()
    function.apply(torch.ones(1, requires_grad=True), callers, told)
    applied = line() - 1
    assert told.chain.place == Place(
        HERE, applied, "test_the_inside_of_a_custom_function_is_not_where_it_was_called"
    )
    assert FUNCTION in told.chain.through
    assert told.name == name


@pytest.mark.usefixtures("apply")
def test_a_custom_function_with_a_decorated_forward_is_known() -> None:
    """What is inside the decorator is its forward."""

    class Own(Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu")
        def forward(ctx: Any, x: Tensor, callers: Callers, told: Told) -> Tensor:
            told.look(callers)
            return x * 2

    callers, told = Callers(), Told()
    Own.apply(torch.ones(1, requires_grad=True), callers, told)  # type: ignore[no-untyped-call]
    assert told.chain.place is not None
    assert told.chain.place.function == "test_a_custom_function_with_a_decorated_forward_is_known"
    assert told.name == "Own"


@pytest.mark.usefixtures("apply")
def test_an_explanation_names_the_custom_function_and_the_line_that_applies_it() -> None:
    """Whatever torch applies it by."""

    class Round(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            rounded = x.round()
            ctx.mark_non_differentiable(rounded)
            return rounded

    model = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.Linear(4, 2)})

    def closure() -> None:
        rounded = Round.apply(model["first"](torch.ones(3, 4)))  # type: ignore[no-untyped-call]
        model["second"](rounded).sum().backward()

    found = probe.explain(model, closure)["first.weight"]
    assert found.cause == "not_differentiable"
    assert "custom function `Round`" in found.detail
    assert found.source is not None
    assert "Round.apply" in found.source.lines[found.source.line - found.source.first]


def test_a_modules_forward_is_no_custom_function() -> None:
    """Its lines are the script's own."""

    class Layer(nn.Module):
        def forward(self, callers: Callers) -> Chain:
            return callers.chain(sys._getframe())

    chain = Layer()(Callers())
    assert [place.function for place in chain.places][:1] == ["forward"]
    assert chain.through == frozenset()
    assert all("torch" not in Path(place.file).parts[-3:] for place in chain.places)


def test_the_inside_of_a_checkpoint_is_marked() -> None:
    """Its lines are the script's, and that a checkpoint runs them is told."""
    chains: list[Chain] = []
    callers = Callers()

    def inside(x: Tensor) -> Tensor:
        chains.append(callers.chain(sys._getframe()))
        return x * 2

    checkpoint(inside, torch.ones(1, requires_grad=True), use_reentrant=False)
    assert CHECKPOINT in chains[0].through
    assert chains[0].place is not None
    assert chains[0].place.function == "inside"


def test_a_snippet_has_the_lines_around_and_counts_from_one() -> None:
    """Three before and three after, fewer at the beginning, and none where there is no source."""
    shown = snippet(Place(HERE, 1, "module"))
    assert shown is not None
    assert (shown.first, shown.line, len(shown.lines)) == (1, 1, 4)
    assert shown.lines[0] == '"""Whose code made a call, and where."""'
    middle = snippet(Place(HERE, 10, "module"))
    assert middle is not None
    assert (middle.first, len(middle.lines)) == (7, 7)
    assert snippet(Place("<stdin>", 1, "module")) is None
    assert snippet(Place(HERE, 100_000, "module")) is None


def test_what_is_handed_on_is_the_scripts_own() -> None:
    """A frame of Gradgate's makes a call its own, unless it only hands on what the script called.

    Keyword arguments may have any name.
    """
    callers = Callers()

    def caller(function: str = "") -> FrameType:
        return sys._getframe(1)  # whoever called, as if from torch

    ours: dict[str, Any] = {"hand_on": hand_on}
    wrapper = """
def compute(call): return call()
def wrap(call): return hand_on(call, function="zero_grad")
"""
    file = str(Path(source.__file__).with_name("wrapper.py"))
    exec(compile(wrapper, file, "exec"), ours)
    assert callers.own(ours["compute"](caller))
    assert not callers.own(ours["wrap"](caller))
    assert not callers.own(caller())


class Shallow(TorchFunctionMode):
    """Notes which function of torch's each call of some names came from."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        self.callers = Callers()
        self.entered: list[str | None] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in self.names:
            self.entered.append(self.callers.chain(sys._getframe(1)).entered)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda model: model.weight.detach(), None),
        (lambda model: model.state_dict(), "state_dict"),
        (lambda model: copy.deepcopy(model.weight), "deepcopy"),
        (lambda model: torch.autograd.grad(model.weight.sum(), model.weight), "grad"),
    ],
)
def test_the_function_of_torchs_that_was_entered_is_known(act: Any, expected: str | None) -> None:
    """The outermost one, above the line that called it; none where that line calls C."""
    model = nn.Linear(2, 2, bias=False)
    with Shallow("detach", "grad", "__get__") as mode:
        act(model)
    assert mode.entered[-1] == expected


def test_neither_the_inside_of_a_function_nor_a_decorator_was_entered() -> None:
    """Its name is as the script has it."""
    with Shallow("zero_", "_foreach_mul_") as mode:
        model = nn.Linear(2, 2)
        model(torch.ones(1, 2)).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        model.zero_grad(set_to_none=False)
        torch.ones(1).zero_()
    assert mode.entered == ["clip_grad_norm_", "zero_grad", "zero_grad", None]


def test_a_library_is_left_for_the_scripts_line() -> None:
    """Where there is one."""
    library, script = code("site-packages/trainer.py"), code("train.py")
    both = Chain(((library, 3), (script, 9)), frozenset())
    alone = Chain(((library, 3),), frozenset())
    assert [each.script and each.script.text for each in (both, alone)] == [
        "train.py:9",
        "site-packages/trainer.py:3",
    ]


@pytest.mark.parametrize("file", ["<\0>", "/x" * 5000, "<string>" * 5000, "/\udc80.py"])
def test_a_server_takes_the_place_of_any_file(file: str) -> None:
    """What ``compile`` was given may be any string; the line is behind its end."""
    text = Place(file, 2**31, "f").text
    assert TypeAdapter(ToldPlace).validate_python(text).endswith(":2147483648")
