"""``explain``: why parameters have no useful gradient, for scripts and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..base.source import hand_on
from ..diagnosis.case import Case
from ..diagnosis.explanation import Explanation
from ..diagnosis.trace import Trace
from ..measure.magnitude import magnitude, read, state_word
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import require_for
from ..torch_compat.versions import version
from .arguments import checked_models, checked_optimizers
from .model_hooks import ModelHooks

WITHHELD = frozenset({"absent", "frozen"})
"""The states that a closed gate may leave a parameter in, until the step is over."""


def explain(
    model: nn.Module | Mapping[str, nn.Module],
    closure: Callable[[], object],
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
) -> dict[str, Explanation]:
    """Run ``closure`` once under a trace, and say why each parameter lacks a useful gradient.

    ``closure`` makes one forward and one backward (several are fine), and no optimizer step. A
    parameter whose gradient is healthy, and which ``optimizer`` applies if one is given, is not
    in the result: a sound model gives ``{}``. Compiled modules run eagerly for this once.
    Gradients are afterwards what they were before.

    What ``closure`` raises goes on to the caller, but for the error of a ``backward()`` on what
    carries no gradient: that is what the explanations are about.

    Raises :class:`AttachError` when the model or the optimizer is none, and
    :class:`CommandError` where this torch lacks what a trace needs.
    """
    models, optimizers = checked_models(model), checked_optimizers(optimizer)
    require_for(EXPLAINING)
    table = ParameterTable(models)
    trace = Trace(models, table.parameters, Guard())
    versions = [_version(parameter) for parameter in table.parameters]
    with _gradients_put_back(table.parameters):
        trace.start()
        try:
            hand_on(closure)
        except RuntimeError as error:
            if "does not require grad" not in str(error):
                raise
        finally:
            trace.stop()
        held = {id(p) for each in optimizers for g in each.param_groups for p in g["params"]}
        attached = ModelHooks.find(models)
        after = states(table.parameters)
        for i, parameter in enumerate(table.parameters):
            # Optimizers in backward hooks, and whole training steps, leave no gradient behind.
            if after[i] == "absent" and _version(parameter) != versions[i]:
                after[i] = trace.state(parameter)
        cases = list(_cases(table, trace, held if optimizers else None, attached, after))
        zeroing = [] if attached is None else attached.gates.registry.zeroing()
        return trace.explain(cases, table.names_by_id(), held, zeroing)


def _cases(
    table: ParameterTable,
    trace: Trace,
    held: set[int] | None,
    attached: ModelHooks | None,
    states: Sequence[str],
) -> Iterator[Case]:
    freezes = {} if attached is None else attached.freezer.records.freezes
    gates = {} if attached is None else attached.gates.registry.blocking()
    for index, state in enumerate(states):
        parameter = table.parameters[index]
        known = None if attached is None else attached.table.index_of.get(id(parameter))
        gate = None if known is None else gates.get(known)
        yield Case(
            index,
            table.name(index),
            id(parameter),
            "gated" if gate is not None and state in WITHHELD else state,
            held is None or id(parameter) in held,
            trace.owners(table.names[index]),
            None if known is None else freezes.get(known),
            gate,
        )


def states(parameters: Sequence[Tensor]) -> list[str]:
    """Return the state of each parameter's gradient now, in the words of a sample."""
    found = ["present"] * len(parameters)
    sizes: dict[int, Tensor] = {}
    for i, parameter in enumerate(parameters):
        if not parameter.requires_grad:
            found[i] = "frozen"
        elif parameter.grad is None:
            found[i] = "absent"
        else:
            grad = parameter.grad
            size = magnitude(grad.coalesce().values() if grad.is_sparse else grad)
            if size is not None:
                sizes[i] = size
    for i, value in zip(sizes, read(sizes.values()), strict=True):
        found[i] = state_word(value)
    return found


def _version(parameter: Tensor) -> int:
    return 0 if is_uninitialized(parameter) or parameter.is_inference() else version(parameter)


@contextmanager
def _gradients_put_back(parameters: Sequence[Tensor]) -> Iterator[None]:
    before = [parameter.grad for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.grad = None
        yield
    finally:
        for parameter, grad in zip(parameters, before, strict=True):
            parameter.grad = grad
