"""The stack of torch function modes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradgate.probe.base.errors import MissingFromTorch
from gradgate.probe.torch_compat import function_modes
from tests.support.lacking import door_without


class Listing(TorchFunctionMode):
    """Puts its name down at each call."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self._name = name
        self._calls = calls

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._calls.append(self._name)
        return func(*args, **(kwargs or {}))


def order(calls: list[str]) -> list[str]:
    calls.clear()
    torch.ones(1).add(1)
    return calls[-len(set(calls)) :]


def test_a_mode_goes_below_those_that_are_on() -> None:
    """The topmost is called first, and can be left by its ``with`` while the lowest stays."""
    calls: list[str] = []
    low = Listing("low", calls)
    with Listing("top", calls):
        function_modes.put_at_bottom(low)
        assert order(calls) == ["top", "low"]
        assert function_modes.depth() == 2
    assert order(calls) == ["low"]
    function_modes.take_out(low)
    assert function_modes.depth() == 0


def test_a_mode_is_taken_out_from_wherever_it_is() -> None:
    """Those above it stay as they were; one that is not on is left alone."""
    calls: list[str] = []
    low = Listing("low", calls)
    function_modes.put_at_bottom(low)
    with Listing("middle", calls), Listing("top", calls):
        function_modes.take_out(low)
        assert order(calls) == ["top", "middle"]
        function_modes.take_out(low)
        assert order(calls) == ["top", "middle"]
    assert function_modes.depth() == 0


def test_the_switch_of_gradients_passes_by_its_name() -> None:
    """By which a mode knows it."""
    names: list[str] = []

    class Naming(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    with Naming(), torch.no_grad():
        pass
    assert names == [function_modes.GRAD_SWITCH] * 2


def test_subclasses_are_looked_at_as_plain_tensors() -> None:
    """Their own functions are not called."""

    class Own(Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    called: list[object] = []
    tensor = torch.ones(2).as_subclass(Own)
    called.clear()
    with function_modes.without_subclasses():
        assert tensor.add(1).sum() == 4
    assert called == []
    assert tensor.add(1) is not None
    assert called


@pytest.mark.parametrize("name", ["_len_torch_function_stack", "_pop_mode", "_push_mode"])
def test_without_the_stack_no_mode_is_entered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is told, and the modes of the script stay as they are."""
    door = door_without(monkeypatch, "function_modes", f"torch.overrides.{name}")
    calls: list[str] = []
    with Listing("script", calls):
        if name == "_push_mode":
            assert door.depth() == 1
        else:
            with pytest.raises(MissingFromTorch, match=name):
                door.put_at_bottom(Listing("probe", calls))
        assert order(calls) == ["script"]
    if name == "_len_torch_function_stack":
        assert door.depth() == 1, "one may be on"
        door.take_out(Listing("probe", calls))


def test_a_default_device_looks_at_nothing() -> None:
    """Its mode stays on for good; any other beside it may look."""
    assert not function_modes.observed()
    with torch.device("cpu"):
        assert function_modes.depth() == 1
        assert not function_modes.observed()
        with Listing("top", []):
            assert function_modes.observed()


def test_without_the_stack_any_mode_may_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is cut after ``torch.set_default_device``."""
    door = door_without(
        monkeypatch, "function_modes", "torch.overrides._get_current_function_mode_stack"
    )
    assert not door.observed()
    with torch.device("cpu"):
        assert door.observed()
