"""Modules by their paths."""

from __future__ import annotations

import pytest
from torch import nn

from gradgate.probe.model.modules import module_paths
from gradgate.probe.torch_compat.modules import keeps_statistics


def test_a_shared_module_has_all_of_its_paths() -> None:
    """A target may name it by any of them."""
    shared = nn.Linear(1, 1)
    paths = module_paths({"": nn.ModuleDict({"a": shared, "b": shared})})
    assert paths["a"] is paths["b"] is shared
    assert set(paths) == {"", "a", "b"}


def test_paths_of_several_models_begin_with_the_models_key() -> None:
    """Two models with the same inside are told apart."""
    paths = module_paths({"g": nn.Sequential(nn.ReLU()), "d": nn.Sequential(nn.ReLU())})
    assert set(paths) == {"g", "g.0", "d", "d.0"}


@pytest.mark.parametrize(
    ("module", "keeps"),
    [
        (nn.BatchNorm1d(2), True),
        (nn.BatchNorm1d(2, track_running_stats=False), False),
        (nn.InstanceNorm1d(2), False),
        (nn.InstanceNorm1d(2, track_running_stats=True), True),
        (nn.LayerNorm(2), False),
    ],
)
def test_running_statistics_are_known_by_the_statistics(module: nn.Module, keeps: bool) -> None:
    """A normalisation that keeps none has nothing to hold still."""
    assert keeps_statistics(module) is keeps
