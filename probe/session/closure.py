"""``explain``: why parameters have no useful gradient, for scripts and tests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, nullcontext

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ..base.errors import CommandError
from ..base.guard import Call, Guard, RefusingHook, telling
from ..base.source import Callers
from ..base.undo import Handles
from ..diagnosis.applied_functions import Applied, AppliedFunctions
from ..diagnosis.backward_check import Deviation, Unchecked, check
from ..diagnosis.case import Case, Finding
from ..diagnosis.explanation import Explanation
from ..diagnosis.phrases import at
from ..diagnosis.trace import Trace
from ..measure.local_part import is_part, local_part
from ..measure.magnitude import magnitude, read, state_word
from ..model.table import ParameterTable, is_uninitialized
from ..progress.foreseen import foreseen
from ..torch_compat.autograd import inside_backward
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import require_for
from ..torch_compat.versions import version
from .arguments import checked_closure, checked_models, checked_optimizers
from .kept_model import KeptModels
from .model_hooks import ModelHooks

logger = logging.getLogger("gradgate")

WITHHELD = frozenset({"absent", "frozen"})
"""The states that a closed gate may leave a parameter in, until the step is over."""


def explain(
    model: nn.Module | Mapping[str, nn.Module],
    closure: Callable[[], object],
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    *,
    check_backward: bool = False,
) -> dict[str, Explanation]:
    """Run ``closure`` once under a trace, and say why each parameter lacks a useful gradient.

    ``closure`` makes one forward and one backward (several are fine), and no optimizer step. A
    parameter whose gradient is healthy, and which ``optimizer`` applies if one is given, is not
    in the result: a sound model gives ``{}``. Compiled modules run eagerly for this once.

    Afterwards everything is, bit by bit, what it was before: parameters, buffers, gradients,
    ``requires_grad``, modes, the attributes of modules, what an optimizer remembers, and the random
    generators of torch, numpy and Python. For that parameters, buffers and gradients are copied
    on their device for the time of the call; what an optimizer remembers, only where the closure
    steps it. Of sharded gradients this rank's part is looked at, and what arrived here; no other
    rank is asked.

    ``check_backward``: compare the backward of every custom ``torch.autograd.Function`` that the
    closure applies with finite differences of its forward, at what it was given, in float64. A
    parameter whose gradient comes through one that differs by more than 1 % is ``wrong_backward``,
    meant or not; one that cannot be compared is named in the log. That calls their forwards many
    times.

    What ``closure`` raises goes on to the caller, but for the error of a ``backward()`` on what
    carries no gradient: that is what the explanations are about.

    Raises :class:`AttachError` when the model or the optimizer is none, and
    :class:`CommandError` for a closure that cannot be called or does nothing, for a model whose
    parameters have no values yet, where this torch lacks what a trace needs, and where the probe
    itself fails in here: then, too, everything is what it was before.
    """
    guard, call = Guard(), Call(closure)
    with telling(guard, CommandError, "there is no explanation", call), ExitStack() as undo:
        models, optimizers = checked_models(model, "explain"), checked_optimizers(optimizer)
        checked_closure(closure)
        require_for(EXPLAINING)
        table = ParameterTable(models)
        _require_values(table)
        wrong = foreseen(optimizers, table)
        kept = KeptModels(models, optimizers)
        undo.callback(guard.insist, kept.put_back)
        trace = Trace(models, table.parameters, guard, kept.keep_leaf)
        versions = [_version(parameter) for parameter in table.parameters]
        applied = AppliedFunctions(guard, trace.keys)
        with applied if check_backward else nullcontext():
            _run(call, trace, Stepping(guard, kept, set(table.index_of)))
        held = {id(p) for each in optimizers for g in each.param_groups for p in g["params"]}
        attached = ModelHooks.find(models)
        after = states(table.parameters)
        for i, parameter in enumerate(table.parameters):
            # Optimizers in backward hooks, and whole training steps, leave no gradient behind.
            if after[i] == "absent" and _version(parameter) != versions[i]:
                after[i] = trace.state(parameter)
            if parameter.grad is not None and is_part(parameter.grad):
                after[i] = trace.state_of_whole(parameter, after[i])
        cases = list(_cases(table, trace, held if optimizers else None, attached, after, wrong))
        zeroing = [] if attached is None else attached.gates.registry.zeroing()
        deviations = _deviations(applied.calls)
        found = trace.explain(cases, table.names_by_id(), held, zeroing, deviations)
    return found


def _run(call: Call, trace: Trace, stepping: Stepping) -> None:
    """Run the closure under the trace; what it steps is kept first."""
    with stepping, ExitStack() as undo:
        undo.callback(stepping.guard.insist, trace.stop)
        trace.start()
        try:
            call()
        except Exception as error:
            if error is not call.error:
                raise
            if not (isinstance(error, RuntimeError) and "does not require grad" in str(error)):
                _add_note(error)
                raise
    if trace.is_empty:
        raise CommandError(
            f"the closure {_name(call.function)} called no torch function at all: let it make a "
            "forward and a backward of the model when it is called, such as "
            "lambda: loss_fn(model(x), y).backward()."
        )


def _deviations(calls: Sequence[Applied]) -> list[Deviation]:
    """Compare the backwards of custom functions; those that cannot be are told in the log."""
    found: list[Deviation] = []
    for call in calls:
        compared = check(call)
        if not isinstance(compared, Unchecked):
            found += compared
            continue
        logger.warning(
            "gradgate: the backward of %s, applied %s, could not be compared with finite "
            "differences: %s.",
            call.function.__name__,
            at(call.chain),
            compared.why.rstrip("."),
        )
    return found


def _add_note(error: Exception) -> None:
    """Say in the traceback of what a closure raised what became of the explanation."""
    error.add_note(
        "gradgate: explain() has no answer, since its closure raised this; call the closure "
        "by itself until it runs. The model is as it was before."
    )


class Stepping:
    """Keeps what an optimizer is about to change, and says that a closure ought not to step one."""

    def __init__(self, guard: Guard, kept: KeptModels, parameters: Set[int]) -> None:
        """``parameters``: those of the models, by ``id``; an inner loop may train copies."""
        self.guard = guard
        self._kept = kept
        self._parameters = parameters
        self._callers, self._thread = Callers(), threading.get_ident()
        self._told: set[str] = set()
        self._hooks = Handles()

    def __enter__(self) -> Stepping:
        # What is not kept could not be put back: then it must not be changed.
        refused = "the closure's step is not made"
        hook = RefusingHook(self.guard, self._step_begins, CommandError, refused)
        self._hooks.add(register_optimizer_step_pre_hook, hook)
        return self

    def __exit__(self, *_: object) -> None:
        self.guard.undo(self._hooks.remove)

    def _step_begins(self, optimizer: Optimizer, *_: object) -> None:
        if not (threading.get_ident() == self._thread or inside_backward()):
            return  # another thread trains something else
        self._kept.keep_stepping(optimizer)
        with self.guard:
            self._warn(optimizer)

    def _warn(self, optimizer: Optimizer) -> None:
        """Say once for each line that the step is one too many."""
        place = self._callers.chain().place
        line = "" if place is None else f" at {place.text}"
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not (inside_backward() or line in self._told or held.isdisjoint(self._parameters)):
            self._told.add(line)
            logger.warning(
                "gradgate: the closure given to explain() calls %s.step()%s, and what that changed "
                "is put back; leave the step out, a forward and a backward are enough.",
                type(optimizer).__name__,
                line,
            )


def _require_values(table: ParameterTable) -> None:
    """Refuse a model whose parameters have no values yet; raise :class:`CommandError`."""
    lazy = [table.name(i) for i, p in enumerate(table.parameters) if is_uninitialized(p)]
    if lazy:
        raise CommandError(
            f"{_named(lazy)} no shape yet, which explain() would have to give: run the model "
            "once on a batch first."
        )
    meta = [table.name(i) for i, p in enumerate(table.parameters) if p.is_meta]
    if meta:
        raise CommandError(
            f"{_named(meta)} no values, being on the meta device: move the model to a real device "
            "by model.to_empty(device=...), and load or initialise its weights first."
        )


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{shown}{more} {'has' if len(names) == 1 else 'have'}"


def _name(closure: Callable[[], object]) -> str:
    return f"`{getattr(closure, '__name__', type(closure).__name__)}`"


def _cases(
    table: ParameterTable,
    trace: Trace,
    held: set[int] | None,
    attached: ModelHooks | None,
    states: Sequence[str],
    wrong: Mapping[int, Finding],
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
            update=wrong.get(index),
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
            size = magnitude(local_part(parameter.grad))
            if size is not None:
                sizes[i] = size
    for i, value in zip(sizes, read(sizes.values()), strict=True):
        found[i] = state_word(value)
    return found


def _version(parameter: Tensor) -> int:
    return 0 if is_uninitialized(parameter) or parameter.is_inference() else version(parameter)
