"""Writes a step down while it runs: every torch function, what it took and what it gave."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ..base.guard import Call as Handed
from ..base.guard import Guard, GuardedMode
from ..base.source import Callers, Chain
from ..base.weak_methods import while_alive
from ..gates.labels import Attached
from ..model.graph_walk import asked_leaf, node_of
from ..torch_compat.function_modes import (
    GRAD_SWITCH,
    put_at_bottom,
    take_out,
    without_subclasses,
)
from ..torch_compat.patching import Interception, runs_of_autograd, weakly
from .backward_record import BackwardRecord
from .escaped_numbers import are_among
from .leaf_keys import LeafKeys
from .modules import ModuleCalls, ModuleIndex
from .tape import BackwardCall, Call, Switching, Tape, Value
from .tensor_hooks import REGISTER
from .tensor_values import TensorValues, version
from .torch_calls import ConstructorCalls, GradModeCalls
from .torch_functions import (
    ATTRIBUTES,
    BACKWARDS,
    LEAVES_TORCH,
    SHAPE_OF_ALL,
    SHAPE_OF_OTHERS,
    is_smooth,
    writes_unseen,
)

MOST_CALLS = 50_000
"""Calls that are written down; a step that makes more is cut there."""


CALLER = 6
"""Frames between what the mode calls here and who called the function of torch's."""


class Mode(GuardedMode):
    """Hands calls of torch's functions to a recorder as long as there is one.

    It stands at the bottom of the stack of modes, not on top: a trace may begin inside and end
    outside of a user's ``with torch.device(...)``, which takes the topmost mode off.
    """

    def __init__(self, recorder: TapeRecorder, guard: Guard) -> None:
        super().__init__(guard, while_alive(recorder.run, _hand_on))


class Listeners:
    """What of a recorder torch holds on to; it does not lead back to the recorder."""

    def __init__(
        self,
        recorder: TapeRecorder,
        grad_mode: GradModeCalls,
        constructors: ConstructorCalls,
        backwards: Interception,
        guard: Guard,
    ) -> None:
        self.mode = Mode(recorder, guard)
        self._grad_mode = grad_mode
        self._constructors = constructors
        self._backwards = backwards
        self._guard = guard
        self._stopped = False

    def stand_aside(self) -> None:
        """Let backwards run without a frame around them, as many as there are inside of one."""
        self._backwards.stop()

    def stand_again(self) -> None:
        """Listen to backwards again, unless that has ended meanwhile."""
        if not self._stopped:
            self._backwards.start(self._guard)

    def stop(self) -> None:
        """Listen no longer. Idempotent."""
        self._stopped = True
        take_out(self.mode)
        self._backwards.stop()
        self._constructors.stop()
        self._grad_mode.stop()


class TapeRecorder:
    """Fills a :class:`Tape` from :meth:`start` to :meth:`stop`, in one thread; changes nothing.

    Torch keeps no recorder alive, and so no model: what listens there has weak references only.
    """

    def __init__(
        self,
        known: Iterable[Tensor],
        modules: ModuleIndex,
        callers: Callers,
        guard: Guard,
        strange: Callable[[Tensor], None] = lambda _: None,
    ) -> None:
        """``known``: the parameters of the models; ``strange``: told of every other leaf that is
        used, before a backward."""
        self._known = list(known)
        self.tape = Tape(LeafKeys(self._known, modules.sharded))
        self.backward_record = BackwardRecord(guard, self.tape.keys)
        self.callers = callers
        self.modules = ModuleCalls(modules, callers, guard)
        self._grad_mode = GradModeCalls(callers)
        self._constructors = ConstructorCalls()
        self._backwards = runs_of_autograd(weakly(self._engine))
        self.listeners = Listeners(
            self, self._grad_mode, self._constructors, self._backwards, guard
        )
        self._guard = guard
        self._values = TensorValues(self.tape, strange)
        self.paused = False
        self._process, self._thread = 0, 0

    @property
    def _is_traced(self) -> bool:
        """Return whether this thread and process are traced, and none beside or forked."""
        return (os.getpid(), threading.get_ident()) == (self._process, self._thread)

    def start(self) -> None:
        """Write down what this thread does from here on."""
        self._process, self._thread = os.getpid(), threading.get_ident()
        self.tape.gradients.begin(self._known)
        self._grad_mode.start(self._guard)
        note = while_alive(self._note_constructed, _note_nothing)
        self._constructors.start(note, self._guard)
        self.listeners.stand_again()
        self.modules.start()
        put_at_bottom(self.listeners.mode)

    def stop(self) -> None:
        """Write no more. Idempotent."""
        self.listeners.stop()
        self.modules.stop()
        self._values.clear()

    def run(self, handed: Handed, *args: Any, **kwargs: Any) -> Any:
        """Make a call of a function of torch's for the mode, and write down what that was."""
        func = handed.function
        name: str = getattr(func, "__name__", type(func).__name__)
        if self.paused or self.tape.full or os.getpid() != self._process:
            return handed(*args, **kwargs)
        if name in ("__get__", "__set__", "__delete__"):
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            if (attribute, name) not in ATTRIBUTES:
                return handed(*args, **kwargs)
            name = attribute if name == "__get__" else f"{attribute} ="
        if name == GRAD_SWITCH:
            with self._guard:
                self._grad_mode.set(bool(args[0]))
            return handed(*args, **kwargs)
        if name in BACKWARDS and getattr(func, "__module__", "").startswith("torch"):
            given = args[0] if args else kwargs.get("tensors", kwargs.get("outputs", ()))
            inputs = args[1] if name == "grad" and len(args) > 1 else kwargs.get("inputs")
            if isinstance(inputs, Iterator):  # to go through it would leave torch nothing of it
                inputs = tuple(inputs)
                kwargs = {**kwargs, "inputs": inputs}
            run = partial(handed, *args, **kwargs)
            return self._backward(run, name, given, inputs, sys._getframe(CALLER - 1))
        return self._call(handed, name, args, kwargs)

    def _call(self, handed: Handed, name: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        frame = sys._getframe(CALLER)
        if self.callers.own(frame):
            self._note_label(frame)
            return handed(*args, **kwargs)
        if self._grad_mode.inside_function:
            made = handed(*args, **kwargs)
            with self._guard:
                self._note_inside(made, tensors_of(args, kwargs), frame)
            return made
        taken: list[tuple[Tensor, Value, int]] = []
        known: list[Value] = []
        call: Call | None = None
        with self._guard, without_subclasses():
            call = self._begin_call(name, self.callers.chain(frame))
            call.smooth = is_smooth(name, args)
            taken = [(t, self._values.of(t, call), version(t)) for t in tensors_of(args, kwargs)]
            if name in ("mul", "mul_"):
                call.number = next((float(n) for n in args if isinstance(n, (float, int))), None)
                for tensor, value, _ in taken:  # a column of a gate: others may be open
                    self._values.measure(tensor, value)
            if self.tape.escapes:
                given = [*args, *kwargs.values()]
                known = self._values.numbers.sources(given)
                if not known and are_among(given, name):
                    self._values.note_entry(call)
        made = handed(*args, **kwargs)
        if call is not None:
            with self._guard, without_subclasses(), torch.no_grad():
                changed = _changed(call, taken)
                self._write(call, taken, changed, known, made)
                self._write_gradients(call, handed.function, args, changed)
        return made

    def _write(
        self,
        call: Call,
        taken: list[tuple[Tensor, Value, int]],
        changed: list[Tensor],
        known: list[Value],
        made: Any,
    ) -> None:
        name = call.name
        used = [] if name in SHAPE_OF_ALL else taken[:1] if name in SHAPE_OF_OTHERS else taken
        call.inputs = [value for _, value, _ in used] + known
        leaf = bool(taken) and taken[0][1].leaf is not None
        if name in ("requires_grad_", "requires_grad =") or (name == "detach_" and leaf):
            for tensor, _, _ in taken[:1]:
                self._note_switching(tensor, call)
            return
        if name in REGISTER:
            for tensor, _, _ in taken[:1]:
                self.tape.hooks.add(tensor, call.chain, self.tape.keys)
            return
        if name == "grad =":
            return
        before = {id(tensor) for tensor, _, _ in taken}
        fresh = [tensor for tensor in tensors_of(made) if id(tensor) not in before]
        written = {id(tensor) for tensor in changed}
        same = [t for t in tensors_of(made) if id(t) in before and id(t) not in written]
        if changed or fresh:
            self.tape.calls.append(call)
            self.tape.full = self.tape.full or len(self.tape.calls) >= MOST_CALLS
            for tensor in changed:
                self._values.write(tensor, call)
            for tensor in fresh:
                self._values.add(tensor, call)
        elif not same and name in LEAVES_TORCH:
            self._values.escape(call, made)

    def _note_switching(self, tensor: Tensor, call: Call) -> None:
        if not self.tape.keys.follows(tensor):
            on, backwards = tensor.requires_grad, len(self.tape.backwards)
            switch = Switching(on, call.chain, call.index, backwards)
            self.tape.switches.setdefault(self.tape.keys.of(tensor), []).append(switch)
        self._values.update_requires_grad(tensor)

    def _write_gradients(
        self, call: Call, func: Callable[..., Any], args: tuple[Any, ...], changed: list[Tensor]
    ) -> None:
        by, gradients = call.chain.entered or call.name, self.tape.gradients
        if call.name == "grad =":
            gradients.add_assignment(args[0], by, call.chain)
        elif call.name.startswith("_foreach_") and call.name.endswith("_"):
            gradients.add_write(args[0], by, call.chain)  # all of them, be they thousands
        elif writes_unseen(func, call.name):
            gradients.add_write(_tensors_in(args), by, call.chain, given_out=True)
        elif changed:
            gradients.add_write(changed, by, call.chain)

    def _engine(
        self,
        engine: Callable[..., Any],
        outputs: Sequence[Any],
        grads: Sequence[Any],
        keep_graph: bool,
        create_graph: bool,
        inputs: Sequence[Any],
        allow_unreachable: bool = False,
        accumulate_grad: bool = False,
    ) -> Any:
        """Run autograd, and write down what no mode was told of: it begins at no tensor."""
        flags = keep_graph, create_graph, inputs, allow_unreachable
        run = partial(engine, outputs, grads, *flags, accumulate_grad=accumulate_grad)
        if not self._is_traced or self.tape.full:
            return run()
        name = "backward" if accumulate_grad else "grad"
        return self._backward(run, name, outputs, inputs, sys._getframe())

    def _backward(
        self, run: Callable[[], Any], name: str, given: Any, inputs: Any, frame: FrameType
    ) -> Any:
        """Make a backward, and write down where it began and what it was asked for."""
        with self._guard, without_subclasses():
            call = self._begin_call(name, self.callers.chain(frame))
            roots = roots_of(given)
            call.inputs = [self._values.of_root(root, call) for root in roots]
            starts = [node for root in roots if (node := node_of(root)) is not None]
            only = _only(name, inputs, self.tape.keys)
            self.tape.backwards.append(BackwardCall(call, call.inputs, only, name == "grad"))
            self.tape.hooks.look(self._leaves(), self.callers, self.tape.keys)
            if not self.backward_record.watch(starts, self.tape.by_node, self.tape.hooks.keys):
                self.tape.full = True
        self.paused = True
        self.listeners.stand_aside()
        try:
            made = run()
        finally:
            self.paused = False
            self.listeners.stand_again()
            with self._guard, without_subclasses(), torch.no_grad():
                self.backward_record.unwatch()
                self.tape.hooks.backward_ended()
                self.tape.gradients.add_backward(self._leaves(), call.chain)
        with self._guard, without_subclasses(), torch.no_grad():
            if fresh := tensors_of((made,)):
                self.tape.calls.append(call)
                for tensor in fresh:
                    self._values.add(tensor, call)
        return made

    def _leaves(self) -> list[Tensor]:
        """Return the parameters of the models, and those that no model has."""
        return [*self._known, *self.tape.unregistered.values()]

    def _begin_call(self, name: str, chain: Chain) -> Call:
        """Make the record of a call that begins now."""
        return Call(len(self.tape.calls), name, chain, self.modules.path, self._grad_mode.off)

    def _note_constructed(self, name: str, given: Any, made: Tensor) -> None:
        """Put a call on the tape that made a tensor where no function mode looks."""
        if not self._is_traced or self.paused or self.tape.full or self._grad_mode.inside_function:
            return
        with self._guard, without_subclasses(), torch.no_grad():
            call = self._begin_call(name, self.callers.chain())
            if isinstance(given, Tensor):
                call.inputs = [self._values.of(given, call)]
            else:
                call.inputs = self._values.numbers.sources(given)
                if not call.inputs and self.tape.escapes:
                    self._values.note_entry(call)
            self.tape.calls.append(call)
            self._values.add_constructed(made, call)

    def _note_label(self, frame: FrameType | None) -> None:
        """Note where ``probe.site(x, label)`` was called with a label that a gate is on."""
        while frame is not None and frame.f_code is not Attached.site.__code__:
            frame = frame.f_back
        if frame is not None:
            label = str(frame.f_locals["label"])
            self.tape.labels.setdefault(label, self.callers.chain(frame))

    def _note_inside(self, made: Any, given: list[Tensor], frame: FrameType) -> None:
        function, chain = self.callers.function(frame), self.callers.chain(frame)
        for tensor in tensors_of((made,)):
            self._values.add_inside(tensor, given, function, chain)


def _hand_on(handed: Handed, *args: Any, **kwargs: Any) -> Any:
    """Take the place of a recorder that is gone, which has nothing to write down."""
    return handed(*args, **kwargs)


def _note_nothing(name: str, given: Any, made: Any) -> None:
    """Take the place of a recorder that is gone."""


def _tensors_in(args: tuple[Any, ...]) -> Iterator[Tensor]:
    """Yield the tensors among arguments, and in lists among them."""
    for given in args:
        for item in given if isinstance(given, (tuple, list)) else [given]:
            if isinstance(item, Tensor):
                yield item


def roots_of(given: Any) -> list[Tensor | GradientEdge]:
    """Find the tensors and edges of the graph that a backward begins at, or is asked for."""
    if isinstance(given, (Tensor, GradientEdge)):
        return [given]
    if isinstance(given, Mapping):
        given = given.values()
    if not (isinstance(given, Sized) and isinstance(given, Iterable)):
        return []  # to go through a generator would leave torch nothing of it
    return [each for each in given if isinstance(each, (Tensor, GradientEdge))]


def tensors_of(args: Any, kwargs: Mapping[str, Any] | None = None) -> list[Tensor]:
    """Find the tensors in what a torch function takes or gives, each once."""
    found: dict[int, Tensor] = {}
    pending: list[Any] = [*reversed(list((kwargs or {}).values())), args]
    while pending:
        item = pending.pop()
        if isinstance(item, Tensor):
            found.setdefault(id(item), item)
        elif isinstance(item, (tuple, list)):
            pending += reversed(item[:1000])
        elif isinstance(item, dict):
            pending += item.values()
    return list(found.values())


def _changed(call: Call, taken: list[tuple[Tensor, Value, int]]) -> list[Tensor]:
    """Find the tensors that a call wrote to."""
    if call.name == "data =":
        return [taken[0][0]]
    return [tensor for tensor, _, written in taken if version(tensor) != written]


def _only(name: str, inputs: Any, keys: LeafKeys) -> frozenset[int] | None:
    """Return the keys of the leaves that a backward is restricted to; None where it is not."""
    asked = [] if inputs is None else roots_of(inputs)
    if inputs is None or (name == "backward" and not asked):
        return None
    return frozenset(keys.of(leaf) for each in asked if (leaf := asked_leaf(each)) is not None)
