"""Functions of torch around which something stands for a time."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.torch_compat import patching
from gradgate.probe.torch_compat.patching import (
    Interception,
    Interceptions,
    arrays_as_tensors,
    gradient_edges,
    inference_modes,
    new_parameters,
    runs_of_autograd,
)


def make_parameter() -> object:
    return nn.Parameter(torch.ones(2))


def take_array() -> object:
    return torch.from_numpy(np.ones(2))


def enter_inference() -> object:
    with torch.inference_mode() as entered:
        return entered


@pytest.mark.parametrize(
    ("listen", "act", "owner", "name"),
    [
        (new_parameters, make_parameter, torch.Tensor, "_make_subclass"),
        (arrays_as_tensors, take_array, torch, "from_numpy"),
        (inference_modes, enter_inference, torch.inference_mode, "__enter__"),
    ],
)
def test_a_call_is_told_while_somebody_listens(
    listen: Callable[..., Interception], act: Callable[[], object], owner: Any, name: str
) -> None:
    """With what it made; afterwards the function is torch's own again."""
    own = vars(owner).get(name)
    told: list[Any] = []
    interception = listen(lambda given, made: told.append(made))
    interception.start()
    made = act()
    interception.stop()
    assert len(told) == 1
    assert told[0] is made
    act()
    assert len(told) == 1
    after = vars(owner).get(name)
    assert getattr(after, "__func__", after) is getattr(own, "__func__", own)


def test_several_may_listen_and_end_in_any_order() -> None:
    """The last one to leave puts the function back."""
    own, told = torch.from_numpy, list[str]()
    first = arrays_as_tensors(lambda *_: told.append("first"))
    second = arrays_as_tensors(lambda *_: told.append("second"))
    first.start()
    second.start()
    take_array()
    first.stop()
    take_array()
    second.stop()
    take_array()
    assert told == ["first", "second", "second"]
    assert torch.from_numpy is own


def test_what_is_inherited_is_inherited_again() -> None:
    """A class that had no function of its own has none afterwards."""

    class Above:
        def act(self) -> int:
            return 1

    class Below(Above):
        """Has no function of its own."""

    interception = Interception(Below, "act", lambda act, own: -act(own))
    interception.start()
    assert Below().act() == -1
    assert Above().act() == 1
    interception.stop()
    assert "act" not in vars(Below)


def test_those_that_came_later_stand_outside() -> None:
    """Each answers with what the one before makes of the function; they leave in any order."""

    class Adder:
        def add(self, number: int) -> int:
            return number + 1

    own = vars(Adder)["add"]
    first = Interception(Adder, "add", lambda add, adder, number: add(adder, number) * 10)
    second = Interception(Adder, "add", lambda add, adder, number: add(adder, number) - 1)
    first.start()
    second.start()
    assert Adder().add(1) == 19
    first.stop()
    assert Adder().add(1) == 1
    second.stop()
    assert vars(Adder)["add"] is own


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.square().sum().backward(),
        lambda x: torch.autograd.backward(x.square().sum()),
        lambda x: torch.autograd.grad(x.square().sum(), x),
        lambda x: torch.autograd.functional.vjp(torch.sum, x),
    ],
)
def test_every_run_of_autograd_goes_through_one_function(ask: Callable[[Any], object]) -> None:
    """Whatever the script calls, and by whatever name."""
    runs: list[object] = []

    def around(run: Callable[..., Any], *given: Any, **named: Any) -> Any:
        runs.append(given)
        return run(*given, **named)

    interception = runs_of_autograd(around)
    interception.start()
    ask(torch.ones(2, requires_grad=True))
    interception.stop()
    assert len(runs) == 1


def test_a_body_asks_all_who_stand_there_by_any_name_and_is_given_back() -> None:
    """The function stays the object that the script holds; those who came later are outside."""
    held, code = (
        torch.autograd.graph.get_gradient_edge,
        torch.autograd.graph.get_gradient_edge.__code__,
    )
    known = dict(held.__dict__)
    x = torch.ones(1, requires_grad=True)
    asked: list[str] = []

    def standing(name: str) -> Interception:
        def around(find: Callable[..., Any], tensor: torch.Tensor) -> Any:
            asked.append(name)
            return find(tensor)

        return gradient_edges(around)

    first, second = standing("first"), standing("second")
    first.start()
    second.start()
    assert held(tensor=x).node is torch.autograd.graph.get_gradient_edge(x).node
    assert asked == ["second", "first"] * 2
    first.stop()
    held(x)
    assert asked[4:] == ["second"]
    second.stop()
    held(x)
    assert len(asked) == 5
    assert (held.__code__, held.__dict__) == (code, known)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_what_cannot_be_started_leaves_nothing(kind: type[BaseException]) -> None:
    """Whatever it is that fails, or is interrupted; the next one can be started."""

    class Owner:
        def act(self) -> int:
            return 1

    def refuse(*_: object) -> object:
        raise kind("no replacement")

    own = Owner.act
    with pytest.raises(kind, match="no replacement"):
        Interception(Owner, "act", lambda act, own: 2, replacement=refuse).start()
    assert Owner.act is own
    later = Interception(Owner, "act", lambda act, own: -act(own))
    later.start()
    assert Owner().act() == -1
    later.stop()
    assert Owner.act is own


def test_a_body_that_cannot_be_changed_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever name the script has the function."""
    graph = torch.autograd.graph
    code = graph.get_gradient_edge.__code__

    def refuse(*_: object) -> object:
        raise RuntimeError("no function")

    around = gradient_edges(lambda call, tensor: call(tensor))
    with monkeypatch.context() as patched:
        patched.setattr(patching, "_as_function", refuse)
        with pytest.raises(RuntimeError, match="no function"):
            around.start()
    assert graph.get_gradient_edge.__code__ is code
    assert not hasattr(graph.get_gradient_edge, "gradgate_standing")
    around.start()
    assert graph.get_gradient_edge.__code__ is not code
    around.stop()
    assert graph.get_gradient_edge.__code__ is code


def test_of_several_all_are_started_or_none() -> None:
    """The second cannot be; the first is gone, and all can be tried again."""

    class Owner:
        def first(self) -> int:
            return 1

        def second(self) -> int:
            return 2

    refusals = [True]

    def replacement(function: Any, standing: list[Any]) -> Any:
        if refusals:
            raise RuntimeError(refusals.pop())
        return patching._as_function(function, standing)

    first, second = Owner.first, Owner.second
    each = Interceptions(
        owner := Owner(),
        Guard(),
        [
            Interception(Owner, "first", lambda act, own: -act(own)),
            Interception(Owner, "second", lambda act, own: -act(own), replacement=replacement),
        ],
    )
    with pytest.raises(RuntimeError, match="True"):
        each.follow(needed=True)
    assert (Owner.first, each.stand) == (first, False)
    each.follow(needed=True)
    assert (owner.first(), owner.second()) == (-1, -2)
    each.follow(needed=False)
    assert (Owner.first, Owner.second) == (first, second)


def test_what_stands_there_again_is_what_stood_there_before() -> None:
    """Unless somebody else has replaced the function meanwhile: then it stands around theirs."""

    class Owner:
        def number(self) -> int:
            return 1

    own, stood = Owner.number, []
    each = Interception(Owner, "number", lambda act, owner: -act(owner))
    for _ in range(2):
        each.start()
        stood.append(Owner.number)
        assert Owner().number() == -1
        each.stop()
        assert Owner.number is own
    assert stood[0] is stood[1]
    Owner.number = lambda _: 5  # type: ignore[method-assign]
    each.start()
    assert Owner().number() == -5
    each.stop()
    assert Owner().number() == 5


def test_those_that_come_and_go_end_with_their_owner() -> None:
    """However often they have stood there before."""

    class Owner:
        def number(self) -> int:
            return 1

    own, owner = Owner.number, Owner()
    around = Interception(Owner, "number", lambda act, owner: -act(owner))
    each = Interceptions(owner, Guard(), [around])
    for needed in (True, False, True):
        each.follow(needed=needed)
    assert Owner.number is not own
    del owner
    gc.collect()
    assert Owner.number is own


@pytest.mark.parametrize("own_first", [False, True], ids=["inherited-first", "own-first"])
def test_a_function_that_comes_to_be_inherited_or_own_stays_so(*, own_first: bool) -> None:
    """As it was when it was replaced the last time, and not the first."""

    class Base:
        def number(self) -> int:
            return 1

    class Owner(Base):
        pass

    each = Interception(Owner, "number", lambda act, owner: -act(owner))
    for is_own in (own_first, not own_first):
        if is_own:
            Owner.number = Base.number  # type: ignore[method-assign]
        elif "number" in vars(Owner):
            del Owner.number
        each.start()
        assert Owner().number() == -1
        each.stop()
        assert ("number" in vars(Owner)) == is_own
        assert Owner.number is Base.number


def test_a_wrapper_of_the_scripts_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """``functools.wraps`` copies all that says that a function is Gradgate's."""
    own = torch.autograd._engine_run_backward
    monkeypatch.setattr(torch.autograd, "_engine_run_backward", own)  # so it is in the end
    x = torch.ones(2, requires_grad=True)
    calls: list[str] = []

    def standing(name: str) -> Interception:
        def around(run: Callable[..., Any], *given: Any, **named: Any) -> Any:
            calls.append(name)
            return run(*given, **named)

        return runs_of_autograd(around)

    first, second = standing("first"), standing("second")
    first.start()
    inner = torch.autograd._engine_run_backward

    @functools.wraps(inner)
    def wrapper(*given: Any, **named: Any) -> Any:
        calls.append("script")
        return inner(*given, **named)

    monkeypatch.setattr(torch.autograd, "_engine_run_backward", wrapper)
    second.start()
    x.sum().backward()
    assert calls == ["second", "script", "first"]
    first.stop()
    second.stop()
    assert torch.autograd._engine_run_backward is wrapper
    calls.clear()
    x.sum().backward()
    assert calls == ["script"]
