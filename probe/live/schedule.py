"""Models that compute other figures in a traced step than in others."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ..torch_compat.dynamo import is_compiled

FUSED = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""In eval mode and without gradients they take a fused path, which any torch function mode turns
off: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html"""


def trace_changes_figures(models: Mapping[str, nn.Module]) -> bool:
    """Return whether a trace, which nobody may have asked for, would change what a step computes.

    A compiled model runs eagerly then, with other last bits; a fused path gives zeros at padded
    positions, where the ordinary one does not.
    """
    modules = (module for model in models.values() for module in model.modules())
    if any(isinstance(module, FUSED) and not module.training for module in modules):
        return True
    return is_compiled(models)
