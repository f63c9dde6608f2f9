"""A run never computes with a tensor of which other ranks may hold a part."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.sharded import asked_of_wholes, shard


@pytest.mark.parametrize("trained", ["every layer", "all but a frozen one", "with a gradient of 0"])
def test_only_the_part_of_this_rank_is_looked_at(trained: str) -> None:
    """In samples, in looks at weights and gradients, in proofs, explanations and histograms."""
    torch.manual_seed(0)
    model = shard(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2), nn.LayerNorm(2)))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, foreach=False)
    with (
        asked_of_wholes() as asked,
        probe.attach(model, optimizer, server=False, every=1, expect=["*"]) as run,
    ):
        for step in range(1, 50):
            if step == 5 and trained == "all but a frozen one":
                run.freeze("0.weight")
            if step == 15:
                run.thaw("*")
            if step == 20:
                run.explain("0.weight")
            if step == 25:
                job_of(run).measurement.focus.watch(range(6), 60.0)
            optimizer.zero_grad()
            loss = model(torch.randn(3, 4)).square().mean()
            (loss * (0.0 if trained == "with a gradient of 0" else 1.0)).backward()
            optimizer.step()
        run.flush()
    assert {each.state for each in run.parameters()} <= {"present", "zero", "frozen"}
    assert asked == []


def test_a_norm_that_the_ranks_have_not_added_up_is_left_alone() -> None:
    """What a traced step computes of parts is not even detached; it is a norm for its clip."""
    torch.manual_seed(0)
    model = shard(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))

    def closure() -> None:
        model(torch.randn(3, 4)).square().mean().backward()
        norms = [torch.linalg.vector_norm(each.grad) for each in model.parameters()]
        total = torch.linalg.vector_norm(torch.stack(norms))
        for each in model.parameters():
            each.grad.mul_(total + 1)

    with asked_of_wholes() as asked:
        assert probe.explain(model, closure) == {}
    assert [each for each in asked if "/diagnosis/" in each] == []
