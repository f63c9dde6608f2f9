"""Writes a step down while it runs: every torch function, what it took and what it gave."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from .backflow import Backflow
from .called_modules import CalledModules
from .function_kinds import (
    ATTRIBUTES,
    BACKWARDS,
    LEAVES_TORCH,
    SHAPE_OF_ALL,
    SHAPE_OF_OTHERS,
)
from .grad_switches import GradSwitches
from .guard import Guard
from .labels import Attached
from .magnitude import magnitude
from .numbers_out import NumbersOut
from .parameters import is_uninitialized
from .places import Callers, Chain
from .tape import Backward, Call, Tape, Value
from .unseen_makers import UnseenMakers

MOST_CALLS = 50_000
"""Calls that are written down; a step that makes more is cut there."""
_Seen = tuple["weakref.ref[Tensor]", int, Value]


class Tracer(TorchFunctionMode):
    """Fills a :class:`Tape` from :meth:`start` to :meth:`stop`, in one thread; changes nothing.

    It stands at the bottom of the stack of modes, not on top: a trace may begin inside and end
    outside of a user's ``with torch.device(...)``, which takes the topmost mode off.
    """

    def __init__(self, known: Iterable[Tensor], paths: Mapping[int, str], guard: Guard) -> None:
        """``known``: the parameters of the models; ``paths``: their modules, by ``id``."""
        super().__init__()
        self.tape = Tape()
        self.backflow = Backflow(guard)
        self.callers = Callers()
        self.modules = CalledModules(paths, self.callers, guard)
        self._switches = GradSwitches(self.callers)
        self._guard = guard
        self._known = {id(tensor) for tensor in known}
        self._seen: dict[int, _Seen] = {}
        self._written: dict[int, Value] = {}
        """What was last written into a tensor, by the ``id`` of the one it is a view of."""
        self._inside: dict[int, Chain] = {}
        """Who called the custom function that made a tensor, by the tensor's ``id``."""
        self._kept: list[Tensor] = []
        self._numbers = NumbersOut()
        self._makers = UnseenMakers(self._made_unseen)
        self.asleep = False

    def start(self) -> None:
        """Write down what this thread does from here on."""
        self._switches.start()
        self._makers.start()
        self.modules.start()
        others = _pop_modes(torch.overrides._len_torch_function_stack())  # type: ignore[attr-defined]
        _push_modes([*others, self])

    def stop(self) -> None:
        """Write no more. Idempotent."""
        above: list[TorchFunctionMode] = []
        depth: int = torch.overrides._len_torch_function_stack()  # type: ignore[attr-defined]
        while depth > len(above) and (not above or above[-1] is not self):
            above += _pop_modes(1)
        _push_modes([mode for mode in above if mode is not self])
        self.modules.stop()
        self._makers.stop()
        self._switches.stop()
        self._seen.clear()
        self._written.clear()
        self._inside.clear()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, and write down what that was."""
        kwargs = kwargs or {}
        name: str = getattr(func, "__name__", type(func).__name__)
        if self.asleep or self.tape.full:
            return func(*args, **kwargs)
        if name in ("__get__", "__set__"):
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            if (attribute, name) not in ATTRIBUTES:
                return func(*args, **kwargs)
            name = f"{attribute} =" if name == "__set__" else attribute
        if name == "_set_grad_enabled":
            with self._guard:
                self._switches.set(bool(args[0]))
            return func(*args, **kwargs)
        if name in BACKWARDS and getattr(func, "__module__", "").startswith("torch"):
            return self._backward(func, name, args, kwargs)
        return self._call(func, name, args, kwargs)

    def _call(self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        frame = sys._getframe(2)
        if self.callers.own(frame):
            self._note_label(frame)
            return func(*args, **kwargs)
        if self._switches.inside_function:
            made = func(*args, **kwargs)
            with self._guard:
                self._note_inside(made, frame)
            return made
        taken: list[tuple[Tensor, Value, int]] = []
        known: list[Value] = []
        call: Call | None = None
        with self._guard, torch._C.DisableTorchFunctionSubclass():
            call = Call(
                len(self.tape.calls),
                name,
                self.callers.chain(frame),
                self.modules.path,
                self._switches.off,
            )
            taken = [(t, self._value(t, call), _version(t)) for t in tensors_of(args, kwargs)]
            known = self._numbers.known([*args, *kwargs.values()]) if self._numbers else []
        made = func(*args, **kwargs)
        if call is not None:
            with self._guard, torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
                self._write(call, args, taken, known, made)
        return made

    def _write(
        self,
        call: Call,
        args: tuple[Any, ...],
        taken: list[tuple[Tensor, Value, int]],
        known: list[Value],
        made: Any,
    ) -> None:
        name = call.name
        used = [] if name in SHAPE_OF_ALL else taken[:1] if name in SHAPE_OF_OTHERS else taken
        call.inputs = [value for _, value, _ in used] + known
        if name in ("requires_grad_", "requires_grad ="):
            for tensor, value, _ in taken[:1]:
                self.tape.flipped[id(tensor)] = call.chain
                self._flip(tensor, value)
            return
        if name == "grad =":
            if taken and len(args) > 1 and args[1] is None:
                self.tape.cleared[id(taken[0][0])] = call.chain
            return
        before = {id(tensor): version for tensor, _, version in taken}
        changed = [tensor for tensor, _, version in taken if _version(tensor) != version]
        if name == "data =":
            changed = [taken[0][0]]
        fresh = [tensor for tensor in tensors_of(made) if id(tensor) not in before]
        unchanged = [t for t in tensors_of(made) if id(t) in before and t not in _those(changed)]
        if changed or fresh:
            self.tape.calls.append(call)
            self.tape.full = len(self.tape.calls) >= MOST_CALLS
            for tensor in [*changed, *fresh]:
                self._note(tensor, call)
            for tensor in changed:
                base = tensor._base if tensor._is_view() else tensor
                self._written[id(base)] = self._seen[id(tensor)][2]
        elif not unchanged and name in LEAVES_TORCH:
            self._leave(call, made)

    def _backward(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        backward: Backward | None = None
        with self._guard, torch._C.DisableTorchFunctionSubclass():
            chain = self.callers.chain(sys._getframe(2))
            call = Call(len(self.tape.calls), name, chain, self.modules.path, self._switches.off)
            given = args[0] if args else kwargs.get("tensors", kwargs.get("outputs", ()))
            roots = tensors_of((given,))
            call.inputs = [self._value(root, call) for root in roots]
            backward = Backward(chain, call.inputs, _only(name, args, kwargs))
            self.tape.backwards.append(backward)
            self.backflow.watch(roots)
        self.asleep = True
        done = False
        try:
            made = func(*args, **kwargs)
            done = True
        finally:
            self.asleep = False
            with self._guard:
                self.backflow.rest()
                if backward is not None:
                    backward.failed = not done
        with self._guard, torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            if fresh := tensors_of((made,)):
                self.tape.calls.append(call)
                for tensor in fresh:
                    self._note(tensor, call)
        return made

    def _value(self, tensor: Tensor, call: Call) -> Value:
        """What a tensor holds now; ``call`` is about to use it."""
        seen = self._seen.get(id(tensor))
        if seen is None or seen[0]() is not tensor:
            return self._meet(tensor, call)
        _, version, value = seen
        same = version == _version(tensor) and value.carries == tensor.requires_grad
        if same and (not value.carries or value.node is tensor.grad_fn):
            return value
        return self._meet(tensor, call, value)

    def _meet(self, tensor: Tensor, call: Call, earlier: Value | None = None) -> Value:
        """A tensor that no call was seen to make, or that changed unseen."""
        node = tensor.grad_fn
        chain = self._inside.get(id(tensor), call.chain)
        unseen: Call | None = None
        if node is not None and node not in self.tape.by_node:
            custom = isinstance(node, torch.autograd.function.BackwardCFunction)
            name = type(node).__name__
            name = name.removesuffix("Backward") if custom else name
            index = len(self.tape.calls)
            unseen = Call(index, name, chain, call.module, None, custom=custom)
            self.tape.calls.append(unseen)
            call.index = index + 1
        base = tensor._base if tensor._is_view() else tensor
        written = self._written.get(id(base))
        parents = [value for value in (earlier, written) if value is not None]
        if node is None and not parents and self._numbers and _is_handful(tensor):
            parents = self._numbers.known(tensor.detach().tolist())
            if parents:
                unseen = Call(len(self.tape.calls), "Tensor", chain, call.module, None)
                self.tape.calls.append(unseen)
                call.index = unseen.index + 1
        if unseen is None and parents:
            unseen = parents[-1].made_by
        return self._remember(tensor, unseen, parents)

    def _note(self, tensor: Tensor, call: Call) -> Value:
        """A tensor that ``call`` made or changed."""
        return self._remember(tensor, call, call.inputs)

    def _remember(self, tensor: Tensor, call: Call | None, parents: list[Value]) -> Value:
        value = Value(
            call,
            tensor.requires_grad,
            tensor.grad_fn,
            tensor.is_floating_point() or tensor.is_complex(),
            () if is_uninitialized(tensor) else tuple(tensor.shape),
        )
        if value.node is not None:
            value.flows = self._upstream(value.node, call, parents)
        elif value.carries:
            value.leaf = id(tensor)
            self._kept.append(tensor)
            self.tape.leaves.setdefault(id(tensor), []).append(value)
            if id(tensor) not in self._known:
                self.tape.strays[id(tensor)] = tensor
        elif id(tensor) in self._known:
            self.tape.leaves.setdefault(id(tensor), []).append(value)
        flows = {id(each) for each in value.flows}
        others = [each for each in parents if id(each) not in flows]
        value.lost = [each for each in others if each.carries]
        value.plain = [each for each in others if not each.carries]
        if call is not None:
            call.outputs.append(value)
            if not tensor._is_view():
                value.size = magnitude(tensor)
        self.tape.values.append(value)
        self._seen[id(tensor)] = (weakref.ref(tensor), _version(tensor), value)
        return value

    def _upstream(self, node: Node, call: Call | None, parents: list[Value]) -> list[Value]:
        """The values that a node of the autograd graph passes its gradient to, through new ones."""
        hits: set[Node] = set()
        leaves: set[int] = set()
        by_node = self.tape.by_node
        if (made_by := by_node.get(node)) is not None and made_by is not call:
            return [value for value in parents if value.node is node] or [
                value for value in made_by.outputs if value.node is node
            ][:1]
        pending, visited = [node], {node}
        while pending:
            current = pending.pop()
            if call is not None:
                by_node[current] = call
            for following, _ in current.next_functions:
                if following is None or following in visited:
                    continue
                variable = getattr(following, "variable", None)
                if isinstance(variable, Tensor) and not following.next_functions:
                    leaves.add(id(variable))
                    if id(variable) not in self.tape.leaves:
                        self._remember(variable, None, [])
                elif following in by_node and by_node[following] is not call:
                    hits.add(following)
                else:
                    visited.add(following)
                    pending.append(following)
        flows = [v for v in parents if v.node in hits or (v.leaf is not None and v.leaf in leaves)]
        for each in flows:
            hits.discard(each.node)
            leaves.discard(each.leaf)
        for hit in hits:
            flows += [value for value in by_node[hit].outputs if value.node is hit][:1]
        for leaf in leaves:
            flows += self.tape.leaves[leaf][-1:]
        return flows

    def _leave(self, call: Call, made: Any) -> None:
        """Values leave torch as numbers, an array or text."""
        self.tape.calls.append(call)
        value = Value(call, False, None, True, ())
        value.lost = [each for each in call.inputs if each.carries]
        value.plain = [each for each in call.inputs if not each.carries]
        call.outputs.append(value)
        self.tape.values.append(value)
        self.tape.escapes.append((value, call))
        self._numbers.note(made, value)

    def _made_unseen(self, name: str, given: Any, made: Tensor) -> None:
        """A tensor was made where no function mode looks."""
        if self.asleep or self.tape.full or self._switches.inside_function:
            return
        with self._guard, torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            call = Call(
                len(self.tape.calls),
                name,
                self.callers.chain(),
                self.modules.path,
                self._switches.off,
            )
            if isinstance(given, Tensor):
                call.inputs = [self._value(given, call)]
            else:
                call.inputs = self._numbers.known(given)
            self.tape.calls.append(call)
            self._note(made, call)

    def _note_label(self, frame: FrameType | None) -> None:
        """``probe.site(x, label)`` was called, and a gate is on it."""
        while frame is not None and frame.f_code is not Attached.site.__code__:
            frame = frame.f_back
        if frame is not None:
            label = str(frame.f_locals["label"])
            self.tape.labels.setdefault(label, self.callers.chain(frame))

    def _flip(self, tensor: Tensor, value: Value) -> None:
        if tensor.requires_grad != value.carries:
            self._remember(tensor, value.made_by, [value])

    def _note_inside(self, made: Any, frame: FrameType) -> None:
        for tensor in tensors_of((made,)):
            self._inside[id(tensor)] = self.callers.chain(frame)


def tensors_of(args: Any, kwargs: Mapping[str, Any] | None = None) -> list[Tensor]:
    """The tensors in what a torch function takes or gives, each once."""
    found: dict[int, Tensor] = {}
    pending: list[Any] = [args]
    if kwargs:
        pending += kwargs.values()
    while pending:
        held = pending.pop()
        if isinstance(held, Tensor):
            found.setdefault(id(held), held)
        elif isinstance(held, (tuple, list)):
            pending += reversed(held[:1000])
        elif isinstance(held, dict):
            pending += held.values()
    return list(found.values())


def _is_handful(tensor: Tensor) -> bool:
    """Whether a tensor is one to read numbers from: few, and no wait for a device."""
    return tensor.device.type == "cpu" and tensor.is_floating_point() and 0 < tensor.numel() <= 16


def _those(tensors: list[Tensor]) -> _Identities:
    return _Identities(tensors)


class _Identities:
    """Tensors by identity: ``in`` compares their values."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self._ids = {id(tensor) for tensor in tensors}

    def __contains__(self, tensor: Tensor) -> bool:
        return id(tensor) in self._ids


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _only(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> frozenset[int] | None:
    if name == "grad":
        inputs = args[1] if len(args) > 1 else kwargs.get("inputs")
    else:
        inputs = kwargs.get("inputs")
    if inputs is None or (name == "backward" and not inputs):
        return None
    return frozenset(id(tensor) for tensor in tensors_of((inputs,)))


def _pop_modes(count: int) -> list[TorchFunctionMode]:
    """Take the topmost modes off; the topmost is the first."""
    return [torch.overrides._pop_mode() for _ in range(count)]


def _push_modes(modes: list[TorchFunctionMode]) -> None:
    """Put modes back that were taken off."""
    for mode in reversed(modes):
        torch.overrides._push_mode(mode)
