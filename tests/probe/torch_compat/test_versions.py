"""PyTorch's count of the writes to a tensor."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate.probe.base.errors import MissingFromTorch
from gradgate.probe.torch_compat import versions
from tests.support.lacking import door_without

VERSION = "torch.Tensor._version"
PRESERVE = "torch.autograd._unsafe_preserve_version_counter"


def graded(*values: float | None) -> list[nn.Parameter]:
    """Parameters with gradients of these values."""
    parameters = [nn.Parameter(torch.ones(1)) for _ in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = None if value is None else torch.full((1,), value)
    return parameters


def test_each_write_in_place_counts() -> None:
    """And a read does not."""
    tensor = torch.ones(2)
    before = versions.version(tensor)
    tensor.sum()
    assert versions.version(tensor) == before
    tensor.add_(1)
    tensor.mul_(2)
    assert versions.version(tensor) == before + 2


def test_gradients_are_marked_with_their_version() -> None:
    """Those that are there, each with its own."""
    parameters = graded(1.0, None, 2.0)
    last = parameters[2].grad
    assert last is not None
    last.add_(1)
    versions.mark_versions(iter(parameters), "mark")
    assert [p.grad is not None and p.grad.__dict__["mark"] for p in parameters] == [0, False, 1]


def test_without_the_count_everything_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two looks agree, so nothing stale is taken for new by mistake of silence."""
    door = door_without(monkeypatch, "versions", VERSION)
    tensor = torch.ones(2)
    assert door.version(tensor) != door.version(tensor)
    parameters = graded(1.0, None)
    door.mark_versions(parameters, "mark")
    grad = parameters[0].grad
    assert grad is not None
    assert grad.__dict__["mark"] != door.version(grad)


def test_a_write_can_leave_the_count_as_it_is() -> None:
    """So that autograd does not complain of a tensor that it has saved."""
    tensor = torch.ones(2)
    with versions.preserved(tensor):
        tensor.add_(1)
    assert versions.version(tensor) == 0
    assert versions.can_preserve


def test_where_it_cannot_that_is_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks nevertheless is told the name."""
    door = door_without(monkeypatch, "versions", PRESERVE)
    assert not door.can_preserve
    with pytest.raises(MissingFromTorch, match="_unsafe_preserve_version_counter"):
        door.preserved(torch.ones(1))
