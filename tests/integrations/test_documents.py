"""The snippets of docs/integrations.md run, each section with what it takes as given."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"


def transformers(folder: Path) -> dict[str, Any]:
    from transformers import TrainingArguments

    from .stacks.transformers_trainer import common, model, tokens

    arguments = TrainingArguments(str(folder), **{**common(2, None), "eval_strategy": "no"})
    return {"model": model(), "args": arguments, "data": tokens()}


def lightning(folder: Path) -> dict[str, Any]:
    from .stacks.lightning_module import Classifier

    loader = torch.utils.data.DataLoader(torch.randn(8, 6), batch_size=4)
    return {"module": Classifier(), "loader": loader}


def loop(folder: Path) -> dict[str, Any]:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return {"model": model, "optimizer": optimizer, "batches": [torch.ones(1, 2)]}


def ignite(folder: Path) -> dict[str, Any]:
    from ignite.engine import Engine

    return {**loop(folder), "trainer": Engine(lambda engine, batch: 0.0)}


def fastai(folder: Path) -> dict[str, Any]:
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader

    pairs = [(torch.ones(2), torch.ones(1))] * 4
    loaders = DataLoaders(*(DataLoader(pairs, bs=2, num_workers=0) for _ in range(2)))
    return {**loop(folder), "loaders": loaders, "loss": nn.functional.mse_loss}


GIVEN = {
    "Transformers, TRL and PEFT": transformers,
    "Lightning": lightning,
    "Accelerate": loop,
    "Ignite": ignite,
    "fastai": fastai,
}
"""What the snippets of a section take as given."""


def snippets() -> dict[str, list[str]]:
    """Return the snippets of the page, by section."""
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    found = {
        section.partition("\n")[0]: re.findall(r"```py\n(.*?)```", section, re.DOTALL)
        for section in sections
    }
    return {title: blocks for title, blocks in found.items() if blocks}


def test_every_section_with_a_snippet_is_run() -> None:
    """A section that is added says what it takes as given."""
    assert snippets().keys() == GIVEN.keys()


@pytest.mark.parametrize("section", GIVEN)
def test_the_snippets_of_a_section_run(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, as one script; nobody answers where the dashboard would be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADGATE_SERVER", "http://127.0.0.1:9")
    given: Callable[[Path], dict[str, Any]] = GIVEN[section]
    exec("\n".join(snippets()[section]), given(tmp_path))
