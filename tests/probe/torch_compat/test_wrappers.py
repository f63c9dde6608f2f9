"""What wraps the models is known without a look at the heap."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.torch_compat.wrappers import Wrappers


@pytest.fixture
def lookers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads that look at the heap, by name."""
    names: list[str] = []

    def watched(look: Callable[..., Any]) -> Callable[..., Any]:
        def looking(*args: Any) -> Any:
            names.append(threading.current_thread().name)
            return look(*args)

        return looking

    for name in ("get_referrers", "get_objects", "get_referents"):
        monkeypatch.setattr(gc, name, watched(getattr(gc, name)))
    return names


@pytest.mark.usefixtures("alone")
def test_every_wrapper_of_a_parameter_is_found() -> None:
    """A parameter in two wrappers needs both reducers rebuilt; one in none has none."""

    class Wrapper(DistributedDataParallel):
        pass

    module = nn.Linear(2, 2)
    before = DistributedDataParallel(module)
    known = Wrappers({"": module})
    after = Wrapper(nn.Sequential(module))
    assert {id(found) for found in known.reducing(module.parameters())} == {id(before), id(after)}
    assert known.reducing(nn.Linear(2, 2).parameters()) == []
    del before
    gc.collect()
    assert known.reducing(module.parameters()) == [after]


@pytest.mark.usefixtures("alone")
def test_a_wrapper_that_cannot_be_hashed_is_found() -> None:
    """A class that defines equality alone makes its instances unhashable."""

    class Equal(DistributedDataParallel):
        def __eq__(self, other: object) -> bool:
            return self is other

    module = nn.Linear(2, 2)
    known = Wrappers({"": module})
    wrapper = Equal(module)
    assert known.reducing(module.parameters()) == [wrapper]


@pytest.mark.usefixtures("alone")
def test_nobody_reduces_once_the_process_group_is_destroyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script may end its process group before its run: no reducer is built any more."""
    module = nn.Linear(2, 2)
    wrapper = DistributedDataParallel(module)
    known = Wrappers({"": module})
    assert known.reducing(module.parameters()) == [wrapper]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    assert known.reducing(module.parameters()) == []


@pytest.mark.parametrize("around", ["the model", "a module above it", "a module inside"])
@pytest.mark.parametrize("first", ["compiled", "attached"])
def test_a_compiled_model_is_known(around: str, first: str) -> None:
    """Compiled before or after the look, and wherever the wrapper is."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    known = None if first == "compiled" else Wrappers({"": model})
    if around == "a module inside":
        compiled: Any = torch.compile(model[0], backend="eager")
        model[0] = compiled
    else:
        whole = model if around == "the model" else nn.Sequential(model)
        compiled = torch.compile(whole, backend="eager")
    known = known or Wrappers({"": model})
    assert known.is_compiled()
    assert not Wrappers({"": nn.Linear(2, 2)}).is_compiled()
    assert compiled is not None


def test_a_module_compiled_in_place_is_known() -> None:
    """``module.compile()`` makes no wrapper."""
    model = nn.Sequential(nn.Linear(2, 2))
    known = Wrappers({"": model})
    assert not known.is_compiled()
    model[0].compile(backend="eager")
    assert known.is_compiled()


def test_a_model_that_gets_a_layer_meanwhile_is_read_again() -> None:
    """The training thread may add one at any time; a question does not fail for it."""

    class Growing(nn.Linear):
        """Gives its parent another layer at the very moment when it is walked through."""

        def named_modules(self, *args: Any, **kwargs: Any) -> Any:
            if len(model) < wanted:
                model.append(nn.Linear(1, 1))
            yield from super().named_modules(*args, **kwargs)

    importlib.import_module("torch._dynamo")
    wanted = 0
    model = nn.Sequential(Growing(1, 1))
    known = Wrappers({"": model})
    wanted = 4
    assert not known.is_compiled()
    assert len(model) == 4


def test_what_is_removed_watches_no_longer() -> None:
    """The hook is global, so it goes with the run, and with the last reference at the latest."""
    hooks = torch.nn.modules.module._global_module_registration_hooks
    before = len(hooks)
    known = Wrappers({"": nn.Linear(2, 2)})
    assert len(hooks) == before + 1
    known.remove()
    known.remove()
    assert len(hooks) == before
    Wrappers({"": nn.Linear(2, 2)})
    gc.collect()
    assert len(hooks) == before


@pytest.mark.parametrize("mode", ["grad", "no_grad"])
def test_a_question_never_looks_at_the_heap(mode: str, lookers: list[str]) -> None:
    """Dynamo is imported, so that a look would be made for each of them."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    kept = torch.compile(nn.Linear(2, 2), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        assert lookers, "one look when a run is attached"
        lookers.clear()
        run.preview("freeze", "0", mode=mode)
    assert lookers == []
    assert kept is not None
