"""Gates in models that are made of what few models are made of, against a detach by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from tests.matrix.row import Job
from tests.matrix.rows.unusual import ROWS
from tests.matrix.unusual import Encoded

FROM, UNTIL, STEPS = 3, 7, 10
SITES = {row.name: "output:encoder" for row in ROWS} | {
    "ParameterDict, ParameterList, ModuleDict": "input:heads.main",
    "Adapters beside a base in tensors of its own kind (8 bits)": "output:up",
}


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_a_block_is_a_detach_in_it(row: Any) -> None:
    """Every weight, buffer and optimizer state is bitwise that of a detach by hand, for as long."""
    site = SITES[row.name]
    gated = row.build()
    with probe.attach(gated.model, gated.optimizers, server=False, every=1) as run:
        gates: list[int] = []
        train(gated, lambda: gates.append(run.gate(site)), lambda: run.ungate(gates[0]))
        assert "gated" not in {each.state for each in run.parameters()}
    by_hand = row.build()
    handles: list[Any] = []
    train(by_hand, lambda: handles.append(detach(by_hand, site)), lambda: handles[0].remove())
    assert bits(gated) == bits(by_hand)


def train(job: Job, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Train, and call what begins and what ends after some steps."""
    for number in range(1, STEPS + 1):
        job.step(number)
        if number == FROM:
            begin()
        if number == UNTIL:
            end()


def detach(job: Job, site: str) -> Any:
    """Cut the graph at a site, by a hook."""
    kind, _, path = site.partition(":")
    model = job.model if isinstance(job.model, nn.Module) else nn.ModuleDict(job.model)
    module = model.get_submodule(path)
    if kind == "input":
        return module.register_forward_pre_hook(lambda _, given: tuple(map(cut, given)))
    return module.register_forward_hook(lambda _, given, output: cut(output))


def cut(output: Tensor | Encoded) -> Tensor | Encoded:
    """Detach a tensor, or each of those in a dataclass."""
    if isinstance(output, Tensor):
        return output.detach()
    return replace(output, hidden=output.hidden.detach(), scores=output.scores.detach())


def bits(job: Job) -> dict[str, bytes]:
    """All that training changes, by name."""
    found = {f"{key}.{name}": t for key, m in job.models.items() for name, t in state(m).items()}
    for parameter_name, parameter in job.parameters().items():
        for optimizer in job.optimizers:
            for name, value in optimizer.state.get(parameter, {}).items():
                found[f"{name} of {parameter_name}"] = torch.as_tensor(value)
    return {
        name: (t + 0).contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        for name, t in found.items()
    }


def state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
