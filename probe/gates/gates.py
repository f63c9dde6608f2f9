"""The parts that gates are made of, put together in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..distributed.ranks import Ranks
from ..freeze.autograd_calls import AutogradCalls
from ..freeze.grad_scaler import LossScale
from ..freeze.recomputations import Recomputations
from ..measure.measurement import Measurement
from ..model.table import ParameterTable
from ..torch_compat.wrappers import Wrappers
from .accounting import GateAccounting
from .agreed import AgreedFigures
from .blocked import BlockedParameters
from .norms import GateNorms
from .present_step import PresentStep
from .reduced import ReducedParameters
from .registry import GateRegistry
from .runtime import GateRuntime
from .sites import GatedRun


@dataclass(frozen=True)
class Gates:
    """The gates of one run."""

    step: PresentStep
    runtime: GateRuntime
    """In forward and backward."""
    blocked: BlockedParameters
    """Before a forward, and around the optimizer's step."""
    registry: GateRegistry
    """For commands and questions."""
    accounting: GateAccounting
    """At boundaries."""

    @classmethod
    def of(
        cls,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        measurement: Measurement,
        calls: AutogradCalls,
        recomputations: Recomputations,
        guard: Guard,
        wrappers: Wrappers,
        ranks: Ranks | None,
    ) -> Gates:
        """Return those of a run: none yet."""
        run = GatedRun(models, optimizers, table, guard, wrappers)
        step = PresentStep(
            models,
            table,
            measurement,
            guard,
            GateNorms(guard),
            LossScale(guard),
            recomputations,
            ReducedParameters(models, table, wrappers),
        )
        runtime = GateRuntime(run, step)
        if ranks is not None:
            step.agreed = AgreedFigures(ranks, runtime.gates, step.known, step.reduced.uneven)
        calls.gates = runtime
        blocked = BlockedParameters(runtime, step)
        registry = GateRegistry(run, runtime, blocked)
        return cls(
            step, runtime, blocked, registry, GateAccounting(registry, runtime, blocked, step)
        )
