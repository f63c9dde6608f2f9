"""Functions of torch around which something stands for a time: it listens, or answers for them.

No function mode sees what is made by ``Tensor._make_subclass`` (a parameter) or by
``torch.from_numpy``, nor that ``torch.inference_mode`` was entered. And a call of the user's own
that would raise because of a command can only be answered where every name for it leads.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial, wraps
from types import CodeType, FunctionType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.utils.hooks import BackwardHook

from ..base.guard import Guard, GuardedAround, surrounded
from ..base.undo import Undo, whole
from ..base.weak_methods import while_alive
from .checkpoints import FRAME
from .parts import EXPLAINING, FREEZING, GATING, Part, find

Around: TypeAlias = Callable[..., Any]
"""Called instead of a function, with that as its first argument; returns what the call returns."""
Listener: TypeAlias = Callable[[tuple[Any, ...], Any], None]
"""Told what a function was given, and what it made of that."""
FlagListener: TypeAlias = Callable[[nn.Parameter, bool], bool]
"""Told a parameter and what its ``requires_grad`` is to be; returns whether it may be so."""
Replacement: TypeAlias = Callable[[Any, list[Around]], Any]
"""Makes what takes a function's place, of that and of the list of those who stand around it."""
_STANDING = "gradgate_standing"

_MAKE_SUBCLASS = Part(
    "torch.Tensor._make_subclass",
    otherwise="parameters that are made in a traced step are not seen",
    needed_for=(EXPLAINING,),
)
"""What ``nn.Parameter(tensor)`` calls; seen in torch 2.8 to 2.15."""
_CREATE_SCRIPT_MODULE = Part(
    "torch.jit._recursive.create_script_module",
    otherwise="torch.jit.script refuses an attached model",
)
"""What ``torch.jit.script`` calls with a module; seen in torch 2.8 to 2.15."""
_RUN_BACKWARD = Part(
    "torch.autograd._engine_run_backward",
    otherwise="a call of the script's that meets what a command froze or gated could raise",
    needed_for=(FREEZING, GATING, EXPLAINING),
)
"""What ``backward`` and ``grad`` call, by whatever name the script has them; seen in torch 2.8 to
2.15. The public functions may be held by the script under names of its own."""
_LOOK_OF_SCALER = Part(
    "torch.amp.GradScaler._unscale_grads_",
    otherwise="a scaler could raise that looks at an optimizer of which all is frozen or gated",
    needed_for=(FREEZING, GATING),
)
"""Where a scaler looks at gradients, for ``unscale_`` and for a fused optimizer's ``step`` alike;
seen in torch 2.8 to 2.15. Around the public ones an optimizer would see what it is given."""
_FUNCTIONAL = Part(
    "torch.autograd.functional._autograd_grad",
    otherwise="torch.autograd.functional could raise, in its strict mode, behind a closed gate",
    needed_for=(GATING,),
)
"""What ``torch.autograd.functional`` asks for gradients by; seen in torch 2.8 to 2.15."""
_STACK = Part(
    "torch._functorch.functional_call.construct_stacked_leaf",
    otherwise="torch.func.stack_module_state could raise for a model that is frozen in part",
    needed_for=(FREEZING, GATING),
)
"""What ``torch.func.stack_module_state`` calls for each name; seen in torch 2.8 to 2.15."""
_GROUP = Part(
    "torch.nn.utils.clip_grad._group_tensors_by_device_and_dtype",
    otherwise="clip_grad_value_ raises where a command has left no gradient to clip",
    needed_for=(FREEZING, GATING),
)
"""What ``clip_grad_value_`` sorts gradients by, and what takes no empty list; seen in torch 2.13
to 2.15."""
_TOTAL_NORM = Part(
    "torch.nn.utils.clip_grad._get_total_norm",
    otherwise="a norm that clipping has computed is computed once more, between samples",
)
"""What ``clip_grad_norm_`` computes the norm of all gradients by; seen in torch 2.8 to 2.15."""
_CLIP = Part(
    "torch.nn.utils.clip_grad._clip_grads_with_norm_",
    otherwise="a norm that clipping has computed is computed once more, between samples",
)
"""What ``clip_grad_norm_`` clips by, once it has the norm; seen in torch 2.8 to 2.15."""
_NODE = Part(
    "torch.autograd.graph._get_grad_fn_or_grad_acc",
    otherwise="register_multi_grad_hook raises for what a command froze or gated",
    needed_for=(FREEZING, GATING),
)
"""What functions of ``torch.autograd.graph`` find the node of a tensor by; seen in torch 2.13 to
2.15."""
_APPLY = Part(
    "torch.nn.Module._apply",
    otherwise="a cast of a frozen model and back counts as a change of its bits",
)
"""What ``to``, ``half``, ``cuda``, ``to_empty`` and their kin call; seen in torch 2.8 to 2.15."""
PARTS = (
    _MAKE_SUBCLASS,
    _CREATE_SCRIPT_MODULE,
    _RUN_BACKWARD,
    _LOOK_OF_SCALER,
    _FUNCTIONAL,
    _STACK,
    _GROUP,
    _TOTAL_NORM,
    _CLIP,
    _NODE,
    _APPLY,
)


class Interception:
    """Stands around one function, which is replaced by one that asks whoever does so.

    Several may stand there at once, those that came later outside, and leave in any order: traces
    may be nested, or run in threads. Where it cannot be started, nothing is left of it.
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        around: Around,
        *,
        static: bool = False,
        replacement: Replacement | None = None,
    ) -> None:
        """``static``: it is a static method; ``replacement``: for what is no function."""
        self._owner = owner
        self._name = name
        self._around = around
        self._guarded: Around = around
        self._guard: Guard | None = None
        """What it is guarded by."""
        self._static = static
        self._replacement = replacement or _as_function
        self._standing: list[Around] = []
        self._made: tuple[Any, Any] = (None, None)
        """The function whose place was taken last, and what took it: so again, the next time."""

    def start(self, guard: Guard | None = None) -> None:
        """Stand around the function, guarded: by a guard of its own where none is given."""
        with whole([self.stop]):
            self.begin(guard or Guard())

    def begin(self, guard: Guard) -> None:
        """Do what :meth:`start` does; whoever calls it stops it where that raises."""
        if self._guard is not guard:
            self._guard, self._guarded = guard, GuardedAround(guard, self._around)
        self._stand(getattr(self._owner, self._name))

    def _stand(self, function: Any) -> None:
        """Take the function's place, unless another has; first such that it can be undone."""
        standing = _standing_around(function)
        if standing is not None:
            self._standing = standing
            standing.append(self._guarded)
            return
        if self._made[0] is not function:
            self._made = function, self._make(function)
        replaced = self._made[1]
        replaced.gradgate_inherited = self._name not in vars(self._owner)
        _, self._standing = replaced.gradgate_standing
        self._standing.append(self._guarded)
        setattr(self._owner, self._name, staticmethod(replaced) if self._static else replaced)

    def _make(self, function: Any) -> Any:
        standing: list[Around] = []
        replaced: Any = self._replacement(function, standing)
        replaced.gradgate_standing = id(replaced), standing
        return replaced

    def stop(self) -> None:
        """Stand there no longer; the last one to leave puts the function back. Idempotent."""
        if self._guarded in self._standing:
            self._standing.remove(self._guarded)
        function = getattr(self._owner, self._name)
        if self._standing or _standing_around(function) is not self._standing:
            return
        if function.gradgate_inherited:
            delattr(self._owner, self._name)
        else:
            own = function.__wrapped__
            setattr(self._owner, self._name, staticmethod(own) if self._static else own)


class BodyInterception(Interception):
    """Stands around a function of Python's by whatever name the script has it: in its body.

    Its code is changed, and the function stays the same object.
    """

    def __init__(self, owner: Any, name: str, around: Around, body: CodeType) -> None:
        """``body``: has the function's arguments, and hands them to its ``gradgate_ask``."""
        super().__init__(owner, name, around)
        self._body = body

    def _stand(self, function: Any) -> None:
        """Change the function's code, unless another has."""
        standing = _standing_around(function)
        self._standing = [] if standing is None else standing
        self._standing.append(self._guarded)
        if standing is None:
            code, known = function.__code__, function.__globals__
            own = FunctionType(code, known, self._name, function.__defaults__)
            function.gradgate_ask = _as_function(own, self._standing)
            function.gradgate_standing = id(function), self._standing
            function.__code__ = self._body

    def stop(self) -> None:
        """Stand there no longer; the last one to leave gives it its own code back. Idempotent."""
        if self._guarded in self._standing:
            self._standing.remove(self._guarded)
        function: Any = getattr(self._owner, self._name)
        if not self._standing and _standing_around(function) is self._standing:
            function.__code__ = function.gradgate_ask.__wrapped__.__code__
            del function.gradgate_standing, function.gradgate_ask


class Interceptions:
    """Those of one object, which they do not keep alive, and end with at the latest."""

    def __init__(self, owner: object, guard: Guard, interceptions: Iterable[Interception]) -> None:
        """``interceptions``: by methods of ``owner``, held by :func:`weakly`."""
        self._guard = guard
        self._owner = weakref.ref(owner)
        self._interceptions = tuple(interceptions)
        self._end: Undo | None = None
        """Made once: some come and go in every step."""
        self.stand = False
        """Whether they stand around their functions now."""

    def follow(self, *, needed: bool) -> None:
        """Stand around the functions, or no longer."""
        owner = self._owner()
        if needed and not self.stand and owner is not None:
            with whole([self._stop]):
                if self._end is None:
                    self._end = Undo(self._guard, owner, _stop, self._interceptions)
                for interception in self._interceptions:
                    interception.begin(self._guard)
                self.stand = True
        elif not needed and self.stand:
            self._stop()
            self.stand = False

    def _stop(self) -> None:
        _stop(self._interceptions)


def weakly(method: Any) -> Around:
    """Stand around a function by a method, for as long as its object is alive."""
    return while_alive(method, _call)


def listen_to(owner: Any, name: str, listener: Listener, *, static: bool = False) -> Interception:
    """Listen to one function; ``static``: it is a static method of a class."""
    return Interception(owner, name, partial(_tell, listener), static=static)


def new_instances(kind: type[Any], listener: Listener) -> Interception:
    """Listen to the making of instances of a class, or of one that inherits from it.

    The listener is told when the class's own ``__init__`` is done: that of one that inherits from
    it may not be.
    """
    return listen_to(kind, "__init__", listener)


def new_parameters(listener: Listener) -> Interception:
    """Listen to the making of parameters: told the class, the tensor, and what was made."""
    return _at(_MAKE_SUBCLASS, partial(_tell, listener), static=True)


def arrays_as_tensors(listener: Listener) -> Interception:
    """Listen to ``torch.from_numpy``."""
    return listen_to(torch, "from_numpy", listener)


def inference_modes(listener: Listener) -> Interception:
    """Listen to the entering of ``torch.inference_mode``."""
    return listen_to(torch.inference_mode, "__enter__", listener)


def scripting(context: Callable[..., AbstractContextManager[None]]) -> Interception | None:
    """Surround each making of a TorchScript module, given the module; None where that is hidden."""
    missing = _CREATE_SCRIPT_MODULE.missing
    return None if missing else _at(_CREATE_SCRIPT_MODULE, partial(_surround, context))


def conversions(listener: Listener) -> Interception | None:
    """Listen to casts and moves of modules: told each module; None where they are not seen."""
    return None if _APPLY.missing else _at(_APPLY, partial(_tell, listener))


def requires_grad_writes(listener: FlagListener) -> tuple[Interception, ...]:
    """Listen to what sets ``requires_grad`` of a parameter, by method or by assignment.

    A method of a plain tensor (``Tensor.requires_grad_(parameter, False)``) goes past it, and
    Gradgate's own changes do: see :func:`~.tensors.set_requires_grad`.
    """
    ask = partial(_ask, listener)
    return (
        Interception(nn.Parameter, "requires_grad_", ask),
        Interception(nn.Parameter, "requires_grad", ask, replacement=_as_flag),
    )


def runs_of_autograd(around: Around) -> Interception:
    """Stand around every ``backward`` and every ``grad``.

    The function is given the outputs and their gradients, whether to keep and to create a graph,
    and the inputs; then whether an input may be unreachable, and whether gradients accumulate.
    """
    return _at(_RUN_BACKWARD, around)


sees_backwards = not _RUN_BACKWARD.missing
"""Whether :func:`runs_of_autograd` works."""


def functional_gradients(around: Around) -> Interception:
    """Stand around what ``torch.autograd.functional`` asks for: told the outputs and the inputs."""
    return _at(_FUNCTIONAL, around)


def stacked_parameters(around: Around) -> Interception:
    """Stand around the stacking of parameters of several models: told them and their name."""
    return _at(_STACK, around)


def grouped_gradients(around: Around) -> Interception:
    """Stand around the sorting of gradients to clip them by value: told the lists of them."""
    return _at(_GROUP, around)


def norm_clips(compute: Around, clip: Around) -> list[Interception]:
    """Stand around both halves of ``clip_grad_norm_``; none where torch has not these two.

    ``compute`` is given the gradients and the order of the norm, ``clip`` the parameters, the
    largest norm that is allowed, and the norm.
    """
    if _TOTAL_NORM.missing or _CLIP.missing:
        return []
    return [_at(_TOTAL_NORM, _eagerly(compute)), _at(_CLIP, _eagerly(clip))]


def gradient_edges(around: Around) -> Interception:
    """Stand around the public way to a tensor's edge, by whatever name the script has it.

    It is a plain function with one argument in torch 2.8 to 2.15; were it none, only its public
    name would be covered.
    """
    function = torch.autograd.graph.get_gradient_edge
    owner, name = torch.autograd.graph, "get_gradient_edge"
    plain = isinstance(function, FunctionType) and not function.__code__.co_freevars
    if plain and function.__code__.co_argcount == 1:
        return BodyInterception(owner, name, around, get_gradient_edge.__code__)
    return Interception(owner, name, around)


def get_gradient_edge(tensor: Any) -> Any:
    """Take the place of the body of torch's, whose names it sees: this one is torch's function."""
    return get_gradient_edge.gradgate_ask(tensor)  # type: ignore[attr-defined]


def nodes_of_tensors(around: Around) -> Interception:
    """Stand around the finding of the node that a tensor's gradient goes to."""
    return _at(_NODE, around)


def checkpoint_frames(around: Around) -> Interception:
    """Stand around the making of a checkpoint: told the frame, and what plays it again."""
    return Interception(FRAME.or_else(_NoFrame), "__init__", around)


def hook_registrations(around: Around) -> list[Interception]:
    """Stand around what only a tensor that requires a gradient can be asked for."""
    names = "register_hook", "register_post_accumulate_grad_hook", "retain_grad"
    return [Interception(Tensor, name, around) for name in names]


def tensor_hooks(around: Around) -> Interception:
    """Stand around the registering of hooks on gradients: told the tensor and the hook."""
    return Interception(Tensor, "register_hook", around)


def accumulation_hooks(around: Around) -> Interception:
    """Stand around the registering of hooks after accumulation: told the leaf and the hook."""
    return Interception(Tensor, "register_post_accumulate_grad_hook", around)


def module_backwards(around: Around) -> Interception:
    """Stand around the making of what calls a module's hooks in a backward.

    Told that, the module, and the hooks after and before its backward.
    """
    return Interception(BackwardHook, "__init__", around)


def looks_of_scalers(around: Around) -> Interception:
    """Stand around a scaler's look at the gradients of an optimizer: told the scaler and that."""
    return _at(_LOOK_OF_SCALER, around)


def scaled_losses(around: Around) -> Interception:
    """Stand around the scaling of losses: told the scaler first."""
    return Interception(GradScaler, "scale", around)


def _standing_around(function: Any) -> list[Around] | None:
    """Return who stands around a function, or None where it is none of Gradgate's.

    A wrapper of the script's own may have copied that with all else, as ``functools.wraps`` does.
    """
    made, standing = getattr(function, _STANDING, (None, None))
    return standing if made == id(function) else None


class _NoFrame:
    """Takes the place of a checkpoint's frame in a torch that has none."""


def _call(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    return function(*args, **more)


def _stop(interceptions: Iterable[Interception]) -> None:
    for interception in interceptions:
        interception.stop()


def _at(part: Part, around: Around, *, static: bool = False) -> Interception:
    owner, _, name = part.name.rpartition(".")
    return Interception(find(owner), name, around, static=static)


def _eagerly(around: Around) -> Around:
    """Stand around calls that are run, and not around those that are being compiled."""

    def call(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        if torch.compiler.is_compiling():
            return function(*args, **more)
        return around(function, *args, **more)

    return call


def _surround(
    context: Callable[..., AbstractContextManager[None]],
    function: Callable[..., Any],
    *args: Any,
    **more: Any,
) -> Any:
    with context(*args, **more):
        return function(*args, **more)


def _tell(listener: Listener, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    made = function(*args, **more)
    listener((*args, *more.values()), made)
    return made


def _as_function(function: Callable[..., Any], standing: list[Around]) -> Callable[..., Any]:
    return wraps(function)(surrounded(function, standing))


class _Flag(property):
    """The flag of a parameter; a property in C, so that reading it costs next to nothing."""


def _as_flag(flag: Any, standing: list[Around]) -> _Flag:
    return _Flag(flag.__get__, surrounded(flag.__set__, standing))


def _ask(
    listener: FlagListener,
    write: Callable[..., Any],
    parameter: nn.Parameter,
    requires_grad: bool = True,
) -> nn.Parameter:
    if listener(parameter, requires_grad):
        write(parameter, requires_grad)
    return parameter
