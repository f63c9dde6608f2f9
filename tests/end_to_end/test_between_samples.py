"""A job that samples each fiftieth step: what lasts one step is at the server all the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from tests.support.serving import ServerProcess

STEPS = 200
UNSAMPLED_SPIKE, SAMPLED_SPIKE = 60, 150


def test_a_spike_of_one_step_is_seen_whether_it_was_sampled_or_not(
    shared_server: ServerProcess,
) -> None:
    """By its very step and norm, as an event; and the step after it is there in full."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    with probe.attach(
        model, optimizer, name="spikes", server=shared_server.url, every=50, totals=True
    ) as run:
        norms = []
        for step in range(1, STEPS + 1):
            loss = model(torch.randn(8, 6)).square().mean()
            factor = 1000 if step in (UNSAMPLED_SPIKE, SAMPLED_SPIKE) else 1
            (loss * factor).backward()
            norms.append(nn.utils.get_total_norm([p.grad for p in model.parameters()]).item())  # type: ignore[misc]
            optimizer.step()
            optimizer.zero_grad()
        assert run.flush(30)
    path = f"/api/runs/{run.id}"
    stored = shared_server.get(f"{path}/metrics")["metrics"]["gradgate/total_grad_norm"]
    assert stored["steps"] == list(range(1, STEPS + 1))
    assert stored["values"] == pytest.approx(norms, rel=1e-5)
    series = shared_server.get(f"{path}/series", parameter="0.weight")
    assert series["steps"] == [50, 61, 100, 150, 151, 200]
    assert series["values"][3] == max(series["values"]) > 100 * series["values"][1]
    spikes = shared_server.get(f"{path}/events", kind="spike")["events"]
    steps = {each["step"] for each in spikes}
    assert steps == {UNSAMPLED_SPIKE, SAMPLED_SPIKE}, spikes
