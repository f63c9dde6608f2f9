"""Rows for ``torch.compile``."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from .. import data, models
from ..row import Job, Row


def _compiled(backend: str, *, attached: str) -> Job:
    """``attached``: to the model, "before" or "after" its compilation, or to the "wrapper"."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = models.Compact()
    optimizer = AdamW(model.parameters(), lr=0.05)
    compiled: Any = torch.compile(model, backend=backend)

    def step(number: int) -> None:
        optimizer.zero_grad()
        data.loss(compiled, number).backward()
        optimizer.step()

    if attached == "after":
        step(0)
    return Job(compiled if attached == "wrapper" else model, [optimizer], step)


def _in_place(*, attached: str, blocks: bool) -> Job:
    """A model that is compiled in place, as a whole or block by block."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = models.Stacked() if blocks else models.Compact()
    optimizer = AdamW(model.parameters(), lr=0.05)
    waiting: list[nn.Module] = list(model.encoder.children()) if blocks else [model]

    def step(number: int) -> None:
        while waiting:
            waiting.pop().compile(backend="aot_eager")
        optimizer.zero_grad()
        data.loss(model, number).backward()
        optimizer.step()

    if attached == "after":
        step(0)
    return Job(model, [optimizer], step)


# Dynamo warns about its own use of deprecated and odd parts of torch.
_QUIET = (
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
)
_COMPILER = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")),
    reason="inductor needs a C++ compiler, and there is none",
)


def _row(backend: str, attached: str, words: str) -> Row:
    marks = (*_QUIET, _COMPILER) if backend == "inductor" else _QUIET
    target = "_orig_mod.encoder.0" if attached == "wrapper" else "encoder.0"
    build = partial(_compiled, backend, attached=attached)
    name = f"torch.compile, {backend}, {words}"
    return Row(name, build, target, differs_eagerly=backend == "inductor", marks=marks)


def _row_in_place(name: str, attached: str, *, blocks: bool = False) -> Row:
    build = partial(_in_place, attached=attached, blocks=blocks)
    return Row(name, build, "encoder.0", marks=_QUIET)


ROWS = (
    _row_in_place("model.compile(), in place, attached before compiling", "before"),
    _row_in_place("model.compile(), in place, attached after compiling", "after"),
    _row_in_place("block.compile(), each block in place, attached before", "before", blocks=True),
    _row_in_place("block.compile(), each block in place, attached after", "after", blocks=True),
    _row("aot_eager", "before", "attached before compiling"),
    _row("aot_eager", "after", "attached after compiling"),
    _row("aot_eager", "wrapper", "attached to the compiled model"),
    _row("inductor", "before", "attached before compiling"),
    _row("inductor", "after", "attached after compiling"),
)
