"""The sentence that says what a run's figures are."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .local_part import Sharded


def figures(models: Mapping[str, nn.Module], ranks: int | None) -> str:
    """Return one sentence for beside the charts: which gradients are measured, and where."""
    stages = "after accumulation and clipping, without the loss scale of AMP"
    where = ""
    if ranks is not None:
        wrapped = any(
            isinstance(module, DistributedDataParallel)
            for model in models.values()
            for module in model.modules()
        )
        if wrapped:
            stages = "after accumulation, reduction and clipping, without the loss scale of AMP"
        where = f"; as rank 0 of {ranks} has them"
    parameters = (parameter for model in models.values() for parameter in model.parameters())
    if any(isinstance(parameter, Sharded) for parameter in parameters):
        where += ", of sharded parameters its own shard only"
    return f"Gradients as the optimizer is about to apply them: {stages}{where}."
