"""Norms of many tensors at once."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gradgate.probe.torch_compat import foreach
from tests.support.lacking import door_without


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("order", [2, math.inf])
def test_each_tensor_has_its_norm(
    missing: bool, order: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken together, or one by one where torch cannot."""
    door: Any = door_without(monkeypatch, "foreach", "torch._foreach_norm") if missing else foreach
    tensors = [torch.tensor([3.0, 4.0]), torch.zeros(2, 2), torch.tensor([[-12.0]])]
    expected = [5.0, 0.0, 12.0] if order == 2 else [4.0, 0.0, 12.0]
    norms = door.foreach_norm(tensors, order, dtype=torch.float64)
    assert [float(norm) for norm in norms] == expected
    assert {norm.dtype for norm in norms} == {torch.float64}
    assert [float(norm) for norm in door.foreach_norm(tensors)] == [5.0, 0.0, 12.0]
