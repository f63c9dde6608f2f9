"""The modules of the models, by path."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn


def module_paths(models: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return every module by its path, which starts with the model's key if there are several."""
    return {
        ".".join(filter(None, (key, path))): module
        for key, model in models.items()
        for path, module in model.named_modules(remove_duplicate=False)
    }
