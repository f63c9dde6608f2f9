"""The factor of a ``GradScaler``."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.amp import GradScaler

from gradgate.probe.torch_compat import grad_scaler
from tests.support.lacking import door_without


@pytest.mark.parametrize("missing", [False, True])
def test_the_factor_is_there_once_a_loss_was_scaled(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its device, so that nobody waits for it; where it has another name there is none."""
    name = "torch.amp.GradScaler._scale"
    door: Any = door_without(monkeypatch, "grad_scaler", name) if missing else grad_scaler
    scaler = GradScaler("cpu", init_scale=64.0)
    assert door.scale_of(scaler) is None
    scaler.scale(torch.ones(1))
    scale = door.scale_of(scaler)
    assert (None if scale is None else scale.item()) == (None if missing else 64.0)
