"""Calls that function modes do not see: constructors, and what switches gradients off."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.source import Callers
from gradgate.probe.diagnosis.torch_calls import ConstructorCalls, GradModeCalls


def test_tensors_that_are_made_of_arrays_and_as_parameters_are_told() -> None:
    """Until the end; then torch is as it was."""
    before = torch.from_numpy, vars(Tensor).get("_make_subclass")
    told: list[tuple[str, Any, Tensor]] = []
    calls = ConstructorCalls()
    calls.start(lambda *made: told.append(made))
    given, array = torch.ones(2), np.ones(2)
    parameter, tensor = nn.Parameter(given), torch.from_numpy(array)
    calls.stop()
    nn.Parameter(given)
    assert [name for name, *_ in told] == ["Parameter", "from_numpy"]
    for (_, source, made), wanted in zip(told, [(given, parameter), (array, tensor)], strict=True):
        assert (id(source), id(made)) == (id(wanted[0]), id(wanted[1]))
    assert (torch.from_numpy, vars(Tensor).get("_make_subclass")) == before


@pytest.fixture
def modes() -> Iterator[GradModeCalls]:
    calls = GradModeCalls(Callers())
    calls.start()
    yield calls
    calls.stop()


def test_what_switched_gradients_off_is_known_until_they_are_on(modes: GradModeCalls) -> None:
    """Of two, one inside of the other, it is the outer."""
    assert modes.off is None
    modes.set(False)
    first = modes.off
    modes.set(False)
    assert modes.off is first
    assert first is not None
    assert first.by == "no_grad"
    assert first.chain is not None
    modes.set(True)
    assert modes.off is None


def test_inference_mode_is_named_as_such(modes: GradModeCalls) -> None:
    """Inside it gradients are off by it, whatever else is set."""
    with torch.inference_mode():
        off = modes.off
        modes.set(False)
        assert modes.off is off
    assert off is not None
    assert off.by == "inference_mode"
    assert off.chain is not None
    assert off.chain.place is not None
    assert off.chain.place.file == __file__
    assert modes.off is None


def test_another_threads_inference_mode_is_not_this_ones(modes: GradModeCalls) -> None:
    """Its place would be a wrong one."""

    def other() -> None:
        with torch.inference_mode():
            pass

    with torch.inference_mode(), ThreadPoolExecutor(1) as pool:
        pool.submit(other).result()
        mine = modes.off
    assert mine is not None
    assert mine.chain is not None
    assert mine.chain.place is not None
    assert mine.chain.place.function.startswith("test_")


def test_gradients_that_nobody_switched_off_are_the_inside_of_a_function(
    modes: GradModeCalls,
) -> None:
    """Its forward runs without, and no Python function is called for that."""
    inside = []

    class Asking(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            inside.append(modes.inside_function)
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> Tensor:
            return gradient[0]

    Asking.apply(torch.ones(1, requires_grad=True))  # type: ignore[no-untyped-call]
    assert inside == [True]
    assert not modes.inside_function
    with torch.inference_mode():
        assert not modes.inside_function
    modes.set(False)
    with torch.no_grad():
        assert not modes.inside_function


def test_gradients_that_were_off_before_have_no_place() -> None:
    """They were switched off before the trace."""
    with torch.no_grad():
        off = GradModeCalls(Callers()).off
    assert off is not None
    assert (off.by, off.chain) == ("no_grad", None)
