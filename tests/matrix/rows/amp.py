"""Rows for mixed precision with a ``GradScaler``, each with steps that overflow."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.amp import GradScaler
from torch.optim import AdamW

from .. import data, models
from ..row import Job, Row

OVERFLOWS = frozenset({3, 6, 15, 26})
"""One before, one during, and one at each of the boundaries of the freeze and of the thaw."""
TOO_LARGE = 1e38
"""A factor that makes the scaled loss infinite in any of the formats."""


def _amp(dtype: torch.dtype, *, clip: bool = False, fused: bool = False) -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = AdamW(model.parameters(), lr=0.05, fused=fused)
    scaler = GradScaler("cpu", init_scale=1024.0, growth_interval=5)

    def step(number: int) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            output = model(data.inputs(number))
        loss = nn.functional.cross_entropy(output.float(), data.labels(number))
        scaler.scale(loss * (TOO_LARGE if number in OVERFLOWS else 1.0)).backward()
        if clip:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
        scaler.step(optimizer)
        scaler.update()

    return Job(model, [optimizer], step, scaler=scaler)


def _row(name: str, target: str, dtype: torch.dtype, **options: bool) -> Row:
    # A fused optimizer's step is called even so, and decides for itself to do nothing.
    unseen = frozenset() if options.get("fused") else OVERFLOWS
    return Row(name, partial(_amp, dtype, **options), target, skipped=OVERFLOWS, unseen=unseen)


ROWS = (
    _row("GradScaler, bfloat16", "encoder", torch.bfloat16),
    _row("GradScaler, float16", "encoder", torch.float16),
    _row("GradScaler, float16, clipping after unscale_", "head", torch.float16, clip=True),
    _row("GradScaler, bfloat16, fused AdamW", "encoder.0", torch.bfloat16, fused=True),
)
