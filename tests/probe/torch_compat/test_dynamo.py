"""What ``torch.compile`` has to do with the models."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from gradgate.probe.torch_compat import dynamo

EVAL_FRAME, UTILS = "torch._dynamo.eval_frame", "torch._dynamo.utils"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def compiled() -> Any:
    """A module that was compiled and called."""
    module = torch.compile(nn.Linear(2, 2), backend="eager")
    module(torch.ones(1, 2))
    return module


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job in which nobody has imported Dynamo."""
    for name in (EVAL_FRAME, UTILS):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("unimported")
def test_without_dynamo_nothing_is_compiled_and_nothing_imported() -> None:
    """The import takes seconds."""
    module = nn.Linear(2, 2)
    assert not dynamo.is_compiled([module])
    assert not dynamo.has_compiled_code()
    assert dynamo.optimized_module() is None
    assert dynamo.force_eager() is None
    dynamo.forget_compiled_code()
    assert not {EVAL_FRAME, UTILS} & set(sys.modules)


def test_a_wrapper_is_found_on_the_heap_where_none_are_given(compiled: Any) -> None:
    """For a call of the script, which may take its time."""
    inside = next(iter(compiled.children()))
    assert dynamo.is_compiled([inside])
    assert dynamo.is_compiled([inside], [compiled])
    assert not dynamo.is_compiled([inside], [])
    assert not dynamo.is_compiled([nn.Linear(2, 2)])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_whether_a_graph_may_break_is_known(whole: bool, in_place: bool) -> None:
    """Of what compiles a module by itself, and of what was made of it; others do not count."""
    module: Any = nn.Sequential(nn.Linear(2, 2))
    wrappers: list[Any] = []
    if in_place:
        module[0].compile(backend="eager", fullgraph=whole)
    else:
        wrappers.append(torch.compile(module, backend="eager", fullgraph=whole))
    assert dynamo.breaks_graphs(module.modules(), wrappers) is not whole
    assert dynamo.breaks_graphs([nn.Linear(2, 2)], wrappers)


def test_where_it_cannot_be_seen_a_graph_counts_as_whole(compiled: Any) -> None:
    """A break would raise in the midst of training."""
    inside = next(iter(compiled.children()))
    assert dynamo.breaks_graphs([inside], [compiled])
    object.__setattr__(compiled, "dynamo_ctx", object())
    assert not dynamo.breaks_graphs([inside], [compiled])


@pytest.mark.usefixtures("compiled")
def test_without_the_wrappers_class_anything_compiled_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gates and mode no_grad are refused rather than put where no hook fires."""
    monkeypatch.delattr(sys.modules[EVAL_FRAME], "OptimizedModule")
    assert dynamo.is_compiled([nn.Linear(2, 2)])
    torch.compiler.reset()
    sys.modules[UTILS].counters.clear()  # type: ignore[attr-defined]
    assert not dynamo.is_compiled([nn.Linear(2, 2)])


@pytest.mark.usefixtures("compiled")
def test_compiled_code_is_counted_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the counters there may be some, so it is forgotten all the same."""
    resets: list[None] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(None))
    assert dynamo.has_compiled_code()
    dynamo.forget_compiled_code()
    assert len(resets) == 1
    monkeypatch.setattr(sys.modules[UTILS], "counters", {"frames": {"ok": 0}})
    assert not dynamo.has_compiled_code()
    dynamo.forget_compiled_code()
    assert len(resets) == 1
    monkeypatch.delattr(sys.modules[UTILS], "counters")
    assert dynamo.has_compiled_code()


def test_compiled_functions_run_eagerly_until_the_first_who_said_so_ends_it() -> None:
    """Whoever comes second has nothing to end."""
    inside: list[bool] = []

    @torch.compile(backend="eager")
    def function(value: torch.Tensor) -> torch.Tensor:
        inside.append(torch.compiler.is_compiling())
        return value + 1

    ends = dynamo.force_eager()
    assert ends is not None
    assert dynamo.force_eager() is None
    function(torch.ones(1))
    ends.__exit__(None, None, None)
    again = dynamo.force_eager()
    assert again is not None
    again.__exit__(None, None, None)
    assert inside == [False]


def test_where_it_cannot_be_seen_it_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in order, so each puts back what was before it."""
    outer = dynamo.force_eager()
    monkeypatch.setitem(sys.modules, "torch._dynamo.eval_frame", SimpleNamespace())  # type: ignore[arg-type]
    inner = dynamo.force_eager()
    monkeypatch.undo()
    assert inner is not None
    inner.__exit__(None, None, None)
    assert dynamo.force_eager() is None, "the outer one still holds"
    outer.__exit__(None, None, None)
