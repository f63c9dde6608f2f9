"""Fixtures of the tests with real libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from .torchvision_operators import importable


def pytest_configure() -> None:
    """Let torchvision be imported, which timm, fastai and Transformers do."""
    importable()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Compute in one thread: the models are tiny, and machines are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test instead of being logged."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
