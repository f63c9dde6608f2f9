"""How long the backward of each step takes, from the job's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..base.guard import Guard, GuardedHook
from ..base.undo import Handles, whole
from ..torch_compat.autograd import call_after_backward, inside_backward
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.readback import capturing
from ..torch_compat.tree import tensors_in


@dataclass(frozen=True)
class BackwardTiming:
    """How long the backward of one step took, and how much memory was in use."""

    step: int
    seconds: float
    """All backward calls of the step together."""
    memory: int | None
    """Bytes allocated on the accelerator when backward began, that is when forward and
    loss were done; the most of the step's backward calls, None on the CPU."""


class BackwardTimer:
    """Times the backward of each step without changing it.

    The clock starts when the gradient arrives at an output of a watched model, and stops
    when the engine has finished that backward, communication of DistributedDataParallel
    included. What lies between the model's output and the loss comes before, so it is
    missed: little, and the same before and after a freeze. A step has no figure where
    nothing that a watched model returned took part in its backward, where a backward
    raised, or where this cannot be seen: a model that was compiled *after* it was watched (by
    ``model.compile()`` there are figures up to torch 2.13, if Dynamo was imported by then),
    compiled autograd, a CUDA graph, an accelerator other than CUDA or ROCm. In a backward
    through a gradient penalty alone the clock starts late.

    A reentrant checkpoint around the whole model runs it again inside the backward; there
    the clock starts with that second forward.

    What it takes to time one is a fifth of what a step costs that is not sampled, so that only
    those are timed that somebody wants the figure of, or has to hear the end of.
    """

    def __init__(
        self,
        models: Iterable[nn.Module],
        guard: Guard,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """``ended`` is called when a backward that was timed is over."""
        self.rests = False
        """Nobody wants to know of the backward of the present step."""
        self.follows_ends = False
        """Somebody has to hear of the end of every backward."""
        self._models = list(models)
        self._backward_ended = ended
        self._guard = guard
        self._hooks = Handles()
        self._forwards: list[ModuleHook] = []
        """The hooks that are registered."""
        self._arrivals: dict[torch.device, GuardedHook] = {}
        """What is called as a gradient arrives at an output, by its device."""
        self._off = False
        self._running: Clock | None = None
        """The clock of the backward that is under way; of nested ones only the outermost."""
        self._clocks: list[Clock] = []
        """Those of the present step that have stopped."""
        self._memory: int | None = None
        self._broken = False
        self._pending: deque[tuple[int, list[Clock], int | None]] = deque(maxlen=64)

    @property
    def has_timed(self) -> bool:
        """Whether a backward was timed in the present step, or is."""
        return bool(self._clocks or self._running or self._broken)

    def arm(self) -> None:
        """Put hooks behind the forwards in place, behind all others of the models.

        Call it again when another hook that gives an output its graph was added.
        """
        self.remove()
        if self._off:
            return
        with whole([self.remove]):
            for model in self._models:
                after = ModuleHook(self._guard, self._after_forward)
                after.rests = self.rests
                self._hooks.add(model.register_forward_hook, after)
                self._forwards.append(after)

    def remove(self) -> None:
        """Remove the hooks; graphs that exist already are timed no more. Idempotent."""
        self._hooks.remove()
        self._forwards.clear()

    def switch_off(self) -> None:
        """Time nothing any more, whatever hooks are added."""
        self._off = True
        self.remove()

    def follow_ends(self) -> None:
        """Time every backward from here on, for somebody has to hear of its end.

        Of one that is under way, too; it has no figure, if no clock was started for it.
        """
        if self.follows_ends:
            return
        self.follows_ends = True
        self.plan(wanted=True)
        if self._running is None and inside_backward():
            call_after_backward(GuardedHook(self._guard, self._backward_ended))

    def plan(self, *, wanted: bool) -> None:
        """Time the backward of the coming step, or leave it out where nobody has to hear of it.

        ``wanted``: somebody wants to know how long it takes.
        """
        rests = not (wanted or self.follows_ends)
        if rests != self.rests:
            self.rests = rests
            for hook in self._forwards:
                hook.rests = rests

    def forward_begins(self, model: nn.Module) -> None:
        """Take in that a forward of a watched model begins, which is not compiled."""
        if self.rests:
            return
        if inside_backward():
            parameter = next(model.parameters(), None)
            self._begin(torch.device("cpu") if parameter is None else parameter.device)
        elif self._running is not None:
            self._abandon()

    def step_ended(self, step: int) -> list[BackwardTiming]:
        """End a step; return the figures that are known by now, oldest first.

        On the CPU that is this step's, on CUDA an earlier step's: nobody waits for the
        device. In a step that ends inside a backward, that backward counts for the next.
        """
        if self._off or not (self._clocks or self._pending or self._running or self._broken):
            return []
        if self._running is not None and not inside_backward():
            self._abandon()
        if self._clocks and not self._broken:
            self._pending.append((step, self._clocks, self._memory))
        self._clocks, self._memory, self._broken = [], None, False
        known: list[BackwardTiming] = []
        while self._pending and all(map(_IS_READY, self._pending[0][1])):
            step, clocks, memory = self._pending.popleft()
            with self._guard:  # one that cannot be read takes no other along
                known.append(BackwardTiming(step, sum(map(_SECONDS, clocks)), memory))
        return known

    def _after_forward(self, model: nn.Module, args: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        for tensor in (output,) if isinstance(output, Tensor) else tensors_in(output):
            node = tensor.grad_fn
            if node is not None:
                # On the graph's node: a hook on the tensor would be in the user's hands.
                node.register_prehook(self._arrival_on(tensor.device))

    def _arrival_on(self, device: torch.device) -> GuardedHook:
        if device not in self._arrivals:
            self._arrivals[device] = GuardedHook(self._guard, _GradientArrives(self, device))
        return self._arrivals[device]

    def _begin(self, device: torch.device) -> None:
        """Start a clock for the backward under way, unless one runs."""
        if self._running is not None or self.rests or not self._hooks:
            return
        clock = make_clock(device)
        if clock is None:
            return
        end = GuardedHook(self._guard, partial(self._end, clock))
        # A callback that queues another one: so it comes after those that were queued
        # during the backward, such as DistributedDataParallel's waiting for its buckets.
        last = GuardedHook(self._guard, partial(call_after_backward, end))
        if call_after_backward(last):
            self._running = clock
            if device.type == "cuda":
                self._memory = max(self._memory or 0, torch.cuda.memory_allocated(device))

    def _end(self, clock: Clock) -> None:
        if self._running is not clock:  # given up, as where another thread began a forward
            return
        self._running = None
        clock.stop()
        self._clocks.append(clock)
        self._backward_ended()

    def _abandon(self) -> None:
        """Give up on a backward that began and never came to its end: it raised."""
        self._running = None
        self._broken = True


class _GradientArrives:
    """The hook on an output's graph."""

    __slots__ = ("_device", "_timer")

    def __init__(self, timer: BackwardTimer, device: torch.device) -> None:
        self._timer = timer
        self._device = device

    def __call__(self, grads: tuple[Tensor | None, ...]) -> None:
        if not torch.compiler.is_compiling():  # compiled autograd traces hooks too
            self._timer._begin(self._device)


class Clock(Protocol):
    """Runs from its making to :meth:`stop`."""

    def stop(self) -> None:
        """End the interval."""

    def ready(self) -> bool:
        """Whether the figure is known; never waits."""

    def seconds(self) -> float:
        """The length of the interval."""


_IS_READY: Callable[[Clock], bool] = methodcaller("ready")
_SECONDS: Callable[[Clock], float] = methodcaller("seconds")


class _HostClock:
    __slots__ = ("_began", "_seconds")

    def __init__(self) -> None:
        self._began = perf_counter()
        self._seconds = 0.0

    def stop(self) -> None:
        self._seconds = perf_counter() - self._began

    def ready(self) -> bool:
        return True

    def seconds(self) -> float:
        return self._seconds


class _StreamClock:
    """Two events in the order of the device's work, which nobody waits for.

    When callbacks run, the engine has made the caller's current stream wait for the
    backward's: https://docs.pytorch.org/docs/stable/notes/cuda.html#bwd-cuda-stream-semantics
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began = torch.cuda.Event(enable_timing=True)
        self._ended = torch.cuda.Event(enable_timing=True)
        self._began.record(torch.cuda.current_stream(device))

    def stop(self) -> None:
        self._ended.record(torch.cuda.current_stream(self._device))

    def ready(self) -> bool:
        return bool(self._ended.query())

    def seconds(self) -> float:
        return float(self._began.elapsed_time(self._ended)) / 1000


def make_clock(device: torch.device) -> Clock | None:
    """Start a clock for the work of a device; None where it cannot be timed."""
    if device.type == "cpu":
        return _HostClock()
    if device.type == "cuda" and not capturing():
        return _StreamClock(device)
    return None
