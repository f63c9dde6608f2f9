"""Which gradients did a backward write to since the last step used them?

A gradient that is there is not always new: with ``zero_grad(set_to_none=False)``, or
with no ``zero_grad`` at all, the tensor of an earlier step stays in place. Hooks on the
parameters tell exactly. Most loops drop their gradients between steps, and there it
is enough to mark those that exist after a step: one without a mark is new. So there are hooks
where gradients are seen to persist, from the first backward on that finds one.

A mark costs 0.5 µs and a dictionary, which the garbage collector then walks. Where the optimizer's
``zero_grad`` has dropped all gradients after the step before, the marks wait for it to do so again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Sized

from torch import Tensor, nn

from ..base.guard import Guard
from ..base.undo import whole
from ..torch_compat.versions import mark_versions, version
from .arrival_hooks import ArrivalHooks
from .unmarked import UnmarkedGradients

MARK = "_gradgate_version"
"""The attribute that marks a gradient as old; it holds the version counter of that time."""

LEARNING_STEPS = 2
"""Sampled steps after which no backward is looked at if no gradient persisted: one more than the
first step, whose gradients are new in any loop. One more where some had none then."""


class WriteTracker:
    """Tells new gradients from those that were left from an earlier step."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        guard: Guard | None = None,
        wanted: Iterable[int] = (),
    ) -> None:
        """``guard``: one of its own where none is given.

        ``wanted``: the parameters of which :meth:`came` is to be known from the start.
        """
        self._parameters = parameters
        self._silent: bool | None = None
        """Whether no backward came to anything in this step; None: not asked yet."""
        self._hooking = True
        self._persisted = False
        self._dropped: set[int] = set()
        """Optimizers whose gradients were all dropped by ``zero_grad``, and none marked since."""
        self._learned = 0
        self._to_learn = LEARNING_STEPS
        guard = guard or Guard()
        self._unmarked = UnmarkedGradients(parameters, self._mark, guard)
        self._hooks = ArrivalHooks(parameters, _is_marked, guard, wanted)
        with whole([self.remove]):
            self._mark(range(len(parameters)))
            self._hooks.follow(at_once=False)
            self._hooks.retire(range(len(parameters)))
        self._before_first_step = True

    @property
    def persist(self) -> bool:
        """Whether gradients may stay from one step to the next, as far as is known."""
        return self._hooking or self._persisted

    def retire(self, indexes: Iterable[int], *, mark: bool) -> None:
        """Take these gradients for old from here on: a step has used or dropped them.

        ``mark``: they will be asked about after the next backward.
        """
        spent = list(indexes)
        self._silent = None
        self._before_first_step = False
        if mark and self._hooking:
            self._hooks.follow(at_once=self._persisted)
        self._hooks.retire(spent)
        if mark:
            self._mark(spent)

    def retire_step(self, k: int, indexes: Sequence[int], *, mark: bool) -> None:
        """Take the gradients that optimizer k has used for old, as :meth:`retire` does.

        Those that its ``zero_grad`` is about to drop are not marked.
        """
        put_off = mark and not self._hooking and self._unmarked.put_off(k, indexes)
        if put_off or not (mark or self._hooks):
            self._silent, self._before_first_step = None, False
        else:
            self.retire(indexes, mark=mark)

    def cleared(self, k: int, indexes: Collection[int]) -> None:
        """Take in that ``zero_grad`` of optimizer k has run; ``indexes``: what it may have left."""
        self._unmarked.cleared(k, indexes)
        if self._unmarked.drops(k):
            self._dropped.add(k)

    def begin_step(self, k: int) -> None:
        """Prepare to be asked about the gradients that optimizer k is about to apply."""
        if self._unmarked.waiting:
            self._unmarked.settle(k)

    @property
    def hooking(self) -> bool:
        """Whether hooks may tell to which parameters a gradient has come."""
        return self._hooking

    @property
    def unmarked(self) -> Sized:
        """What optimizers have used and waits for a mark, always the same object."""
        return self._unmarked.waiting

    def came(self, index: int) -> bool:
        """Whether a backward came to this parameter since the last step, while hooks tell."""
        return self._hooks.came(index)

    def want(self, index: int) -> None:
        """Be able to tell whether a gradient comes to this parameter, in the coming samples."""
        if self._hooking and index not in self._hooks:
            self._hooks.want(index)
            self._to_learn = LEARNING_STEPS + 1

    def is_new(self, index: int, grad: Tensor) -> bool:
        """Whether a backward wrote this gradient since the last step used it."""
        self._unmarked.settle()
        mark = grad.__dict__.get(MARK)
        if mark is None:
            return True
        self._persisted = True
        if self._hooks.tells(index):
            # A hook is also called where nothing came, and then nothing was written.
            came = self._hooks.came(index) and bool(version(grad) != mark)
            # Attached between a backward and its step: nobody makes a step of old gradients alone.
            return came or (self._before_first_step and self._is_silent())
        # Without a hook the version counter is all there is. It rises with any write in
        # place, so this can call a zeroed or clipped old gradient new, but in one step
        # only: from the next one on there are hooks.
        return bool(version(grad) != mark)

    def may_be_old(self, k: int) -> bool:
        """Whether a gradient of optimizer k may be there that an earlier step used.

        Not where none was marked and left since its ``zero_grad`` has dropped all, as in each step
        of most loops. One that the script has kept aside by then, and puts back, is taken for new.
        """
        return k not in self._dropped

    def by_hand(self, grad: Tensor) -> bool:
        """Whether the script itself wrote here in a step in which no backward came to anything.

        It may have written a gradient that it computed otherwise, or zeros.
        """
        return self._is_silent() and not self.untouched(grad)

    def untouched(self, grad: Tensor) -> bool:
        """Whether nothing at all, a backward or the script, has written here since it was old."""
        self._unmarked.settle()
        mark = grad.__dict__.get(MARK)
        return mark is not None and bool(version(grad) == mark)

    def count_sample(self) -> None:
        """Count a sample, and decide whether hooks are needed."""
        self._learned += 1
        if self._persisted:
            self._hooking = True
        elif self._hooking and self._learned >= self._to_learn:
            self._hooking = False
            self._hooks.stop()

    def _is_silent(self) -> bool:
        if self._silent is None:
            self._silent = self._hooks.none_came
        return self._silent

    def _mark(self, indexes: Iterable[int]) -> None:
        self._dropped.clear()
        mark_versions(map(self._parameters.__getitem__, indexes), MARK)

    def forget(self, indexes: Iterable[int]) -> None:
        """Let go of parameters that are no longer in the models."""
        self._hooks.forget(indexes)

    def remove(self) -> None:
        """Remove every hook and mark."""
        self._hooking = False
        self._hooks.stop()
        self._unmarked.settle()
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad.__dict__.pop(MARK, None)


def _is_marked(grad: Tensor) -> bool:
    return hasattr(grad, MARK)
