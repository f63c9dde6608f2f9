"""Finds the run that a model was attached to, from the model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import forward_pre_hooks
from .job import Job


def attached_job(models: Mapping[str, nn.Module]) -> Job | None:
    """The job whose hooks are on a model, or None; of several the one attached last."""
    for model in models.values():
        for hook in forward_pre_hooks(model):
            owner = hook.owner if isinstance(hook, ModuleHook) else None
            if isinstance(owner, Job):
                return owner
    return None
