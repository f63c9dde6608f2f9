"""The stages of pipelines (``torch.distributed.pipelining``) that run a model.

A stage holds the module that it runs, and the module does not know it. What is private here: the
class that both kinds of stages inherit from, and what a schedule keeps of its order; both were
seen in torch 2.13. Without them a stage is one that is made by ``PipelineStage``, and no schedule
is known to split its backwards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from .heap import living

_SPLIT = frozenset({"BACKWARD_INPUT", "BACKWARD_WEIGHT"})


def stages_of(models: Mapping[str, nn.Module]) -> list[Any]:
    """Return the stages in this process that run a module of the models, or one around it.

    Looks at the heap where pipelining is imported.
    """
    pipelining = sys.modules.get("torch.distributed.pipelining")  # not imported: not used
    if pipelining is None:
        return []
    inside = {id(module) for model in models.values() for module in model.modules()}
    kind = getattr(pipelining.stage, "_PipelineStageBase", pipelining.PipelineStage)
    found = {
        stage.stage_index: stage
        for stage in living(kind)
        if any(id(module) in inside for module in stage.submod.modules())
    }
    return [stage for _, stage in sorted(found.items())]


def splits_backward(stages: Iterable[Any]) -> bool:
    """Return whether a schedule makes the backward of a stage in two parts (zero bubble)."""
    pipelining = sys.modules.get("torch.distributed.pipelining")
    wanted = {id(stage) for stage in stages}
    if pipelining is None or not wanted:
        return False
    kind = getattr(pipelining.schedules, "PipelineScheduleMulti", None)
    return kind is not None and any(
        wanted.intersection(map(id, getattr(schedule, "_stages", ())))
        and _is_split(schedule.pipeline_order)
        for schedule in living(kind)
    )


def _is_split(order: Mapping[int, Iterable[Any]]) -> bool:
    actions = [action for each in order.values() for action in each if action is not None]
    parts = [part for action in actions for part in action.sub_actions or ()]
    return any(action.computation_type.name in _SPLIT for action in (*actions, *parts))
