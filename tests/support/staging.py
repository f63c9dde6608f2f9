"""Ranks of which each trains a stage of a pipeline, with a run of its own.

Usage: python -m tests.support.staging RANK SIZE FOLDER SCENARIO...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleavedZeroBubble,
)
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.session.run import Run, job_of
from tests.support.gating import Place, as_it_is, cut, scaled
from tests.support.world import play

WIDTH, MICROBATCHES, STEPS, LAST = 6, 4, 6, 1


class Stage(nn.Module):
    """Two layers and a bypass, with a place to gate by hand."""

    def __init__(self, by_hand: Place = as_it_is, at: str = "") -> None:
        super().__init__()
        torch.manual_seed(distributed.get_rank())
        self.stem, self.first, self.second = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.by_hand, self.at = by_hand, at

    def place(self, x: Tensor, at: str) -> Tensor:
        return self.by_hand(x) if at == self.at else x

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        inner = self.place(self.first(self.place(x, "input:first")), "output:first")
        return torch.tanh(x + self.second(torch.tanh(inner)))


class Pipeline:
    """The stage of this rank, and what trains it."""

    def __init__(self, model: nn.Module, schedule: Any = Schedule1F1B) -> None:
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
        rank, size = distributed.get_rank(), distributed.get_world_size()
        self.is_first, self.is_last = rank == 0, rank == size - 1
        self.stage = PipelineStage(model, rank, size, torch.device("cpu"))
        self.schedule = schedule(self.stage, MICROBATCHES, loss_fn=nn.functional.mse_loss)

    def step(self, number: int) -> None:
        """Make a step of as many backwards as there are micro-batches."""
        generator = torch.Generator().manual_seed(number)
        inputs, targets = torch.randn(2, 8, WIDTH, generator=generator)
        self.optimizer.zero_grad()
        self.schedule.step(
            *((inputs,) if self.is_first else ()), target=targets if self.is_last else None
        )
        self.optimizer.step()

    def bits(self) -> list[list[float]]:
        """Return every weight and all that the optimizer knows of it."""
        states = self.optimizer.state.values()
        kept = [each for state in states for each in state.values()]
        return [value.flatten().tolist() for value in (*self.model.parameters(), *kept)]


def interleaved(parts: Sequence[nn.Module]) -> list[PipelineStage]:
    """Make stages of several parts for this rank, between each two of which are the others'."""
    rank, size = distributed.get_rank(), distributed.get_world_size()
    return [
        PipelineStage(part, rank + size * k, len(parts) * size, torch.device("cpu"))
        for k, part in enumerate(parts)
    ]


GATES: dict[str, tuple[str, Place, dict[str, Any]]] = {
    "detached output": ("output:first", cut, {}),
    "detached output, by norm": ("output:first", cut, {"when": "norm >= 0"}),
    "detached input, by norm": ("input:first", cut, {"when": "norm >= 0"}),
    "reversed output": ("output:first", scaled(-1.0), {"action": "scale", "factor": -1.0}),
    "by a metric": ("output:first", cut, {"when": "beta > 0"}),
}
SCHEDULES: dict[str, Callable[..., Any]] = {"1F1B": Schedule1F1B, "GPipe": ScheduleGPipe}


def gated(rank: int, size: int) -> object:
    """Gate a stage, by hand and by a command: of each whether all bits are alike."""
    noted = {}
    for name, schedule in SCHEDULES.items():
        for how, (site, place, options) in GATES.items():
            by_hand = Pipeline(Stage(place, site), schedule)
            for step in range(1, STEPS + 1):
                by_hand.step(step)
            ours = Pipeline(Stage(), schedule)
            with probe.attach(ours.model, ours.optimizer, server=False) as run:
                run.log(beta=1.0)
                run.gate(site, **options)
                for step in range(1, STEPS + 1):
                    ours.step(step)
            noted[f"{name}, {how}"] = ours.bits() == by_hand.bits()
    return noted


def named(rank: int, size: int) -> object:
    """How runs are called, and to what group they belong."""

    def attached(model: nn.Module | dict[str, nn.Module], **options: Any) -> list[Any]:
        with probe.attach(model, server=False, **options) as run:
            hello = job_of(run).uplink.hello()
        return [hello["name"], hello.get("group"), hello["ranks"]]

    stage, loose, split = Pipeline(Stage()), Stage(), [Stage(), Stage()]
    stages = interleaved(split)
    noted = {
        "stage": attached(stage.model),
        "around the stage's module": attached(nn.Sequential(stage.model)),
        "wrapped by the stage": attached(stage.model.first),
        "two stages": attached({"a": split[0], "b": split[1]}),
        "named": attached(stage.model, name="mine", group="ours"),
        "not alone": attached(stage.model, alone=False),
        "alone": attached(loose, alone=True),
        "no stage": attached(loose),
    }
    del stages
    return noted


def refusal(command: Callable[[], object]) -> str:
    """Return what is said where a command is refused; empty where it is not."""
    try:
        command()
    except probe.CommandError as error:
        return str(error)
    return ""


def refused(rank: int, size: int) -> object:
    """What is said where a command cannot be carried out on a stage."""

    def refusals(run: Run) -> list[str]:
        commands = (lambda: run.freeze("*first*"), lambda: run.gate("param:first.weight"))
        return [said for said in map(refusal, commands) if said]

    late = Stage()
    with probe.attach(late, server=False) as run:
        pipeline = Pipeline(late)
        noted = {"late": refusals(run)}
    del pipeline
    shared = Stage()
    wrapper = DistributedDataParallel(shared)
    with probe.attach(shared, server=False, alone=True) as run:
        noted["shared"] = refusals(run)
    del wrapper
    split = [Stage(), Stage()]
    schedule = ScheduleInterleavedZeroBubble(
        interleaved(split), MICROBATCHES, nn.functional.mse_loss
    )
    with probe.attach(split[0], server=False) as run:
        noted["split"] = refusals(run)
    del schedule
    return noted


def explained(rank: int, size: int) -> object:
    """What is said of a stage whose gradients are those that the next one has made."""
    pipeline = Pipeline(Stage())
    with probe.attach(pipeline.model, pipeline.optimizer, server=False, every=1) as run:
        if rank == LAST:
            run.gate("output:stem", "True")
            run.gate("input:second", "True")
        if rank == 0:
            run.explain("first.weight")
        for step in range(1, 5):
            pipeline.step(step)
        run.flush()
        return {
            "states": {each.name: each.state for each in run.parameters()},
            "told": {
                name: [each.cause, each.detail, each.advice]
                for name, each in run.explanations().items()
            },
        }


SCENARIOS: dict[str, Callable[[int, int], object]] = {
    "gated": gated,
    "named": named,
    "refused": refused,
    "explained": explained,
}

if __name__ == "__main__":
    play(SCENARIOS)
