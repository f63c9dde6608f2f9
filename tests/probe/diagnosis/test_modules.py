"""The modules of the models: paths, forwards, and which of them a step called."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.base.source import Callers
from gradgate.probe.diagnosis.modules import ModuleCalls, ModuleIndex, has_forward


class Block(nn.Module):
    """A list of layers, and a tied one."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.again = self.layers[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x)  # type: ignore[no-any-return]


LINE = Block.forward.__code__.co_firstlineno


def wrapped(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return function


class Decorated(Block):
    """Its forward has a decorator, on a line of its own."""

    @wrapped
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


@pytest.fixture
def index() -> ModuleIndex:
    return ModuleIndex({"net": nn.Sequential(Block())}, Callers())


def test_modules_are_found_by_each_of_their_paths(index: ModuleIndex) -> None:
    """A tied one is called by its first."""
    layer = index.modules["net.0.layers.0"]
    assert index.modules["net.0.again"] is layer
    assert index.paths[id(layer)] == "net.0.layers.0"


def test_the_owner_of_a_parameter_is_what_can_be_called(index: ModuleIndex) -> None:
    """A list of layers cannot, and what is above it can."""
    assert index.owner("net.0.layers") == "net.0"
    assert index.owner("net.0.layers.1") == "net.0.layers.1"
    assert index.above("net.0.layers.1") == "net.0"
    assert index.above("net.0") == "net"
    assert index.above("net") is None


def test_the_forward_of_a_module_is_a_place_of_the_users() -> None:
    """Its ``def`` line; none for one of torch's own."""
    index = ModuleIndex({"": Block(), "other": Decorated()}, Callers())
    place, other = index.forward_of(""), index.forward_of("other")
    assert place is not None
    assert (place.file, place.line) == (__file__, LINE)
    assert other is not None
    assert other.line == Decorated.forward.__code__.co_firstlineno + 1
    assert index.forward_of("layers.0") is None
    assert index.code_of("layers.0") is None


def test_a_module_is_named_by_its_path_in_a_sentence() -> None:
    """The root by its class."""
    index = ModuleIndex({"": Block()}, Callers())
    assert [index.name(path) for path in ("layers.0", "")] == ["`layers.0`", "`Block`"]
    assert ModuleIndex({}, Callers()).name("") == "the model"


def test_a_module_has_a_forward_of_its_class_or_its_own() -> None:
    """A container has none."""
    container = nn.ModuleList()
    assert not has_forward(container)
    container.forward = lambda: None  # type: ignore[method-assign]
    assert has_forward(container)


class Traced:
    """A model whose calls are followed."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.calls = ModuleCalls(ModuleIndex({"": model}, Callers()), Callers(), Guard())
        self.calls.start()

    def called(self, module: nn.Module) -> bool:
        return id(module) in self.calls.called


def test_calls_of_modules_are_followed_until_the_end() -> None:
    """By whom they were made first, and no hook stays."""
    traced = Traced(Block())
    traced.model(torch.ones(2))
    line = traced.calls.called[id(traced.model)].place
    assert line is not None
    assert line.file == __file__
    first, second = traced.model.layers
    assert (traced.called(first), traced.called(second)) == (True, False)
    traced.calls.stop()
    traced.model.layers[1](torch.ones(2))
    assert not traced.called(second)
    assert not any(module._forward_hooks for module in traced.model.modules())


def test_the_path_is_that_of_the_innermost_module_that_runs() -> None:
    """Also after one that failed inside."""

    class Asking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            paths.append(traced.calls.path)
            if fails:
                raise KeyError("mine")
            return x

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Asking()

        def forward(self, x: Tensor) -> Tensor:
            paths.append(traced.calls.path)
            with suppress(KeyError):
                self.inner(x)
            paths.append(traced.calls.path)
            return x

    paths: list[str | None] = []
    traced = Traced(Outer())
    for fails in (False, True):  # noqa: B007 - the forward reads it
        traced.model(torch.ones(2))
    assert paths == ["", "inner", ""] * 2
    assert traced.calls.path is None
    traced.calls.stop()


def test_a_module_that_never_returned_is_left_with_the_one_that_called_it() -> None:
    """Torch calls no hook for an interrupt, and the outer module goes on or ends."""

    class Interrupt(BaseException):
        pass

    class Interrupted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise Interrupt

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Interrupted()

        def forward(self, x: Tensor) -> Tensor:
            with suppress(Interrupt):
                self.inner(x)
            return x

    traced = Traced(Outer())
    traced.model(torch.ones(2))
    assert traced.calls.path is None
    traced.calls.stop()


def test_what_runs_in_another_thread_is_hidden() -> None:
    """Nothing is known of what it did there."""
    traced = Traced(Block())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(traced.model, torch.ones(2)).result()
    assert not traced.called(traced.model)
    hidden = traced.calls.hidden(traced.model)
    assert hidden is not None
    assert "another thread" in hidden
    assert traced.calls.hidden(traced.model.layers[1]) is None
    traced.calls.stop()


def test_a_module_that_takes_no_hook_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are followed all the same."""

    class Closed(nn.Linear):
        def register_forward_pre_hook(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise RuntimeError("closed")

    monkeypatch.delenv("GRADGATE_STRICT")
    traced = Traced(nn.Sequential(Closed(2, 2), nn.Linear(2, 2)))
    traced.model(torch.ones(2))
    assert traced.called(traced.model[1])
    traced.calls.stop()
