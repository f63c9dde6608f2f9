"""Fixtures of the matrix."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Compute in one thread: the models are tiny, and machines are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def device() -> Iterator[None]:
    """Train on another device than the CPU where the environment names one.

    ``benchmarks/accelerator.py`` does so.
    """
    torch.set_default_device(os.environ.get("GRADGATE_MATRIX_DEVICE"))
    yield
    torch.set_default_device(None)


@pytest.fixture(autouse=True, scope="module")
def strict() -> Iterator[None]:
    """Let the probe's own errors fail the test instead of being logged."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("GRADGATE_STRICT", "1")
        yield
