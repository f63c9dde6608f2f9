"""The modules of the models, by path."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from torch import nn


def module_paths(models: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return every module by its path, which starts with the model's key if there are several."""
    return {
        ".".join(filter(None, (key, path))): module
        for key, model in models.items()
        for path, module in model.named_modules(remove_duplicate=False)
    }


def held_at(models: Mapping[str, nn.Module], name: str) -> object:
    """Return what the models hold under a parameter's name now, or None.

    Inside ``torch.func.functional_call`` that is another tensor.
    """
    for key, model in models.items():
        path = name.removeprefix(f"{key}.") if key else name
        if path != name or not key:
            try:
                return attrgetter(path)(model)
            except AttributeError:
                return None
    return None
