"""Hooks on parameters that tell to which of them a gradient has come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard
from ..model.table import is_uninitialized
from ..torch_compat.autograd import between_hooks, inside_backward
from ..torch_compat.before_backward import BeforeBackward
from ..torch_compat.tensors import own_accumulation_hooks

_grad = attrgetter("grad")


class ArrivalHooks:
    """Hooks the parameters where nothing else can tell, and no sooner than that is known.

    A hook costs 1.4 µs in every backward, and one that was removed 0.33 µs for ever: PyTorch keeps
    what called it (``_post_accumulate_grad_hooks`` set to None clears the dictionary alone, and
    nothing public clears more; torch 2.13). So most loops are to have none, ever. A gradient that
    a step has used, and that is there still as the next backward begins, is what it takes.

    Some are hooked at once: those that are wanted, and those on which others have such hooks.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        is_old: Callable[[Tensor], bool],
        guard: Guard,
        wanted: Iterable[int] = (),
    ) -> None:
        """``is_old``: whether a step has used this gradient."""
        self._parameters = parameters
        self._is_old = is_old
        self._guard = guard
        self._wanted = set(wanted)
        self._needed = True
        self._follows = False
        """It is waited for a backward to find something."""
        self._looked = False
        """Whether a backward has begun, by which scripts have their own hooks in place."""
        self._handles: dict[int, RemovableHandle] = {}
        self._came: dict[int, Tensor | None] = {}
        """By parameter, from when on a hook tells all that comes: what has come. Hooks hold it."""
        self._retired = dict.fromkeys(range(len(parameters)), 0)
        """By parameter: how many backwards were seen to begin by its last step."""
        self._before = BeforeBackward(guard, self._backward_begins)

    def tells(self, index: int) -> bool:
        """Whether it is known if a gradient came to this parameter."""
        return (index in self._handles and index in self._came) or self._is_idle(index)

    def __contains__(self, index: int) -> bool:
        """Whether there is a hook on this parameter."""
        return index in self._handles

    def __bool__(self) -> bool:
        """Whether there is a hook on any."""
        return bool(self._handles)

    def came(self, index: int) -> bool:
        """Whether a gradient came to this parameter since the last step, while a hook tells."""
        return self._came.get(index) is not None

    @property
    def none_came(self) -> bool:
        """Whether no gradient came to any, as far as hooks tell."""
        return all(came is None for came in self._came.values())

    def retire(self, indexes: Collection[int]) -> None:
        """Begin anew for these parameters: a step has used what came."""
        if self._needed:
            self._came.update(dict.fromkeys(indexes))
        if self._follows:
            self._before.missed |= any(map(self._came_unseen, indexes))
            self._retired.update(dict.fromkeys(indexes, self._before.count))

    def want(self, index: int) -> None:
        """Hook this parameter in any case, the next time that hooks are asked for."""
        self._wanted.add(index)

    def follow(self, *, at_once: bool) -> None:
        """Have hooks from here on: on all ``at_once``, or when something is found to be left."""
        self._needed = True
        every = at_once or not self._before.sees_all
        between_hooks(partial(self._hook, every), self._guard)
        self._follows = not every
        if self._follows or self._late:
            self._before.start()
        else:
            self._before.stop()

    def stop(self) -> None:
        """Have none any more: inside a backward once that is over."""
        self._needed = self._follows = False
        self._before.stop()
        between_hooks(self._unhook, self._guard)

    def forget(self, indexes: Iterable[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        for index in indexes:
            self._came.pop(index, None)
            handle = self._handles.pop(index, None)
            if handle is not None:
                handle.remove()

    @property
    def _late(self) -> set[int]:
        """Parameters whose hooks were put in place behind a backward: the next is told of."""
        return self._handles.keys() - self._came.keys()

    def _is_idle(self, index: int) -> bool:
        """Whether no backward has begun since the last step of this parameter."""
        seen = self._follows and not self._before.missed
        return seen and self._retired.get(index) == self._before.count

    def _came_unseen(self, index: int) -> bool:
        """Whether a new gradient is there though no backward was seen to begin.

        As one that C++ began: that of a scripted function, or the engine's own ``run_backward``.
        """
        grad = self._parameters[index].grad
        return grad is not None and self._is_idle(index) and not self._is_old(grad)

    def _backward_begins(self) -> None:
        # Inside another it is that one's: hooks are not to change meanwhile.
        if inside_backward():
            return
        if self._follows and not self._before.elsewhere:
            grads = map(_grad, self._parameters)
            every = any(grad is not None and self._is_old(grad) for grad in grads)
            if every or not self._looked:
                self._hook(every)
            self._looked = True
        self._came.update(dict.fromkeys(self._late))
        if not self._follows:
            self._before.stop()

    def _hook(self, every: bool) -> None:
        if not self._needed:  # any more, at the end of the backward
            return
        for index, parameter in enumerate(self._parameters):
            wanted = every or index in self._wanted or own_accumulation_hooks(parameter)
            # Neither a frozen parameter nor one without a shape yet can be given a hook;
            # one given before survives freeze and thaw.
            trains = parameter.requires_grad and parameter.is_leaf
            hookable = trains and not is_uninitialized(parameter)
            if wanted and hookable and index not in self._handles:
                # A bound C function: no Python frame is made in the backward.
                # What has come by now is not known.
                self._came.pop(index, None)
                self._handles[index] = parameter.register_post_accumulate_grad_hook(
                    partial(self._came.__setitem__, index)
                )

    def _unhook(self) -> None:
        if self._needed:  # again
            return
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()
        self._came.clear()
