"""The sentence beside the charts."""

from __future__ import annotations

import pytest
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradgate.probe.measure.provenance import figures


def test_one_process_measures_what_its_optimizer_applies() -> None:
    """Nothing is said of ranks where there are none."""
    assert figures({"": nn.Linear(1, 1)}, None) == (
        "Gradients as the optimizer is about to apply them: after accumulation and clipping, "
        "without the loss scale of AMP."
    )


@pytest.mark.usefixtures("alone")
def test_reduction_is_claimed_only_where_something_reduces() -> None:
    """Rank 0 of several has its own gradients, and under DistributedDataParallel everybody's."""
    model = nn.Linear(1, 1)
    assert "reduction" not in figures({"": model}, 4)
    assert "as rank 0 of 4 has them" in figures({"": model}, 4)
    wrapped = nn.Sequential(DistributedDataParallel(model))
    assert "after accumulation, reduction and clipping" in figures({"": wrapped}, 4)
