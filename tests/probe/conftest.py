"""Fixtures for tests of the probe."""

from __future__ import annotations

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


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test instead of being logged."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Draw the same weights whatever ran before: a draw in which every unit is dead is a fault."""
    torch.manual_seed(0)
