"""What was written to each ``.grad`` in a traced step: by whom, and what it held then."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from ..base.source import Chain
from ..measure.local_part import is_part, local_part
from ..measure.magnitude import measured, read
from ..model.table import is_uninitialized
from ..torch_compat import versions
from ..torch_compat.tensors import is_inside_transform, wraps_others
from .backward_record import largest

BACKWARD = "backward"


@dataclass(eq=False)
class GradientWrite:
    """A time at which a parameter's ``.grad`` was written to, or given out to be."""

    by: str
    """What the script called: ``backward``, ``clip_grad_norm_``, ``zero_``, ``grad =``."""
    chain: Chain
    order: int
    """When it was, counted from 1."""
    backwards: int
    """How many backwards there were before its end."""
    version: int
    """How often the parameter itself had been written to."""
    size: float | Tensor | None
    """The largest magnitude in the gradient then; None: there was none."""
    known: bool = True
    """Whether it has a size, which one in tensors of its own has not."""
    of_part: bool = False
    """Its size is that of the part of it that this rank has."""
    given_out: bool = False
    """Who called it has the gradient's memory, and can write there unseen."""
    in_part: float | None = None
    """The size of the part, whatever is known of the whole; None until sizes are read."""

    @property
    def by_backward(self) -> bool:
        """Return whether a backward brought it."""
        return self.by == BACKWARD


@dataclass(frozen=True)
class Overwriting:
    """A useful gradient, and what it was overwritten by."""

    useful: GradientWrite
    """What brought it: a backward, or else the last write that left it so."""
    write: GradientWrite | None
    """None: nothing that torch shows."""


class GradientLog:
    """Follows ``.grad`` of the parameters from one write to the next.

    Writes are known by the memory that they go to: ``p.grad.data``, views and flat buffers have it
    in common with ``p.grad``, and counts of writes of their own.
    """

    def __init__(self) -> None:
        self._writes: dict[int, list[GradientWrite]] = {}
        """By ``id`` of the parameter."""
        self._seen: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        """Each parameter's gradient and its count of writes, as they are known."""
        self._holders: dict[int, dict[int, Tensor]] = {}
        """By ``id`` of a gradient: the parameters that have it, by their ``id``."""
        self._in_storage: dict[int, dict[int, Tensor]] = {}
        """By the address of a gradient's memory, likewise."""
        self._parameters: dict[int, list[Tensor]] = {}
        """By the address of their memory."""
        self._aside: Counter[int] = Counter()
        """Writes to parameters that no count of theirs has, as through ``.data``; by ``id``."""
        self._order = 0
        self._backwards = 0

    def begin(self, parameters: Iterable[Tensor]) -> None:
        """Take the gradients that are there before the step as known."""
        for parameter in parameters:
            self._see(parameter)
            address = 0 if is_uninitialized(parameter) else _address(parameter)
            if address:
                self._parameters.setdefault(address, []).append(parameter)

    def add_backward(self, parameters: Iterable[Tensor], chain: Chain) -> None:
        """Take in that a backward has run: it wrote to all gradients that are not as they were."""
        self._backwards += 1
        self._order += 1
        for parameter in parameters:
            grad, seen = _grad(parameter), self._seen.get(id(parameter))
            same = seen is not None and seen[0]() is grad and seen[1] == _version(grad)
            if grad is not None and not same:
                self._add(parameter, BACKWARD, chain)

    def add_write(
        self, tensors: Iterable[Tensor], by: str, chain: Chain, *, given_out: bool = False
    ) -> None:
        """Take in that something wrote to tensors, which may be gradients or share their memory.

        ``given_out``: whoever called it may write to them later.
        """
        if not self._holders:
            return
        self._order += 1
        for tensor in tensors:
            for parameter in self._parameters.get(_address(tensor), ()):
                if parameter is not tensor and _overlap(parameter, tensor):
                    self._aside[id(parameter)] += 1
            for parameter in list(self._held_in(tensor)):
                self._add(parameter, by, chain, given_out=given_out)

    def add_assignment(self, parameter: Tensor, by: str, chain: Chain) -> None:
        """Take in that a parameter's ``.grad`` was set, or set to None."""
        self._order += 1
        self._add(parameter, by, chain)

    def has(self, tensor: Tensor) -> bool:
        """Return whether a tensor is a parameter's gradient, or shares memory with one."""
        return bool(self._holders) and any(True for _ in self._held_in(tensor))

    def overwriting(
        self, key: int, bad: Callable[[float | None], bool], *, stays: bool
    ) -> Overwriting | None:
        """Find what made a useful gradient of a parameter, by ``id``, bad as it now is.

        ``stays``: a gradient that is added to one as bad as that is so too. None where a backward
        has left it so, or no size is known.
        """
        rounds = self._rounds(key)
        for writes in reversed(rounds):
            found = _overwriting(writes, bad, stays=stays)
            # What came unseen came to the gradient that there is now.
            if found is not None and (found.write is not None or len(rounds) == 1):
                return found
        return None

    def was_applied(self, key: int, bad: Callable[[float | None], bool]) -> bool:
        """Return whether a gradient that was not bad was used, and what followed is no backward's.

        So it is where the script makes a whole step of training, and clears gradients after it.
        """
        rounds = self._rounds(key)
        if len(rounds) < 2 or any(write.by_backward for write in rounds[-1]):
            return False
        return not bad(_size(rounds[-2][-1]))

    def is_unused(self, parameter: Tensor) -> bool:
        """Return whether nobody wrote to a parameter since a backward brought it a gradient."""
        brought = [w for w in self._writes.get(id(parameter), ()) if w.by_backward]
        return bool(brought) and brought[-1].version == self._version(parameter)

    def cleared(self, key: int) -> GradientWrite | None:
        """Return the write that took away the gradient of a parameter, by ``id``."""
        found = self.overwriting(key, _is_none, stays=False)
        return None if found is None else found.write

    def backwards_of(self, key: int, bad: Callable[[float | None], bool]) -> Container[int]:
        """Return the numbers, from 0, of the backwards that have made a gradient what it is.

        That is none from before it began from nothing, and none after it had turned bad.
        """
        writes = self._writes.get(key, [])
        brought = [write for write in writes if write.by_backward]
        last = max((write.backwards for write in brought), default=0)
        # One that found it so, as a clip of zeros, drops nothing.
        before = [None, *map(_size, writes)]
        dropped = [
            write
            for write, found in zip(writes, before, strict=False)
            if not write.by_backward and _size(write) in (None, 0) and found != 0
        ]
        first = max((w.backwards for w in dropped if w.backwards < last), default=0)
        turned = (w.backwards for w in brought if w.backwards > first and bad(_size(w)))
        return range(first, min(turned, default=self._backwards))

    def nonfinite_before(self, write: GradientWrite) -> list[int]:
        """List the parameters, by ``id``, to which a backward brought NaN or infinity before."""
        return [
            key
            for key, writes in self._writes.items()
            if any(w.by_backward and w.order < write.order and _is_nonfinite(w) for w in writes)
        ]

    def read_sizes(self) -> None:
        """Read the sizes, which are tensors until then."""
        found = [w for writes in self._writes.values() for w in writes if _on_device(w)]
        sizes = read(write.size for write in found if isinstance(write.size, Tensor))
        for write, size in zip(found, sizes, strict=True):
            write.size = size

    def complete(self, arrived: Callable[[int, int], float | None]) -> None:
        """Take in, once sizes are read, what a part of a gradient does not tell of the whole.

        ``arrived``: the size of what a backward, by its number from 0, brought to a parameter, by
        ``id``, on this rank. What is not finite in it is so in the whole; and where the part has
        zeros, a write after that may have found more in the others.
        """
        for key, writes in self._writes.items():
            for write, after in zip(writes, [*writes[1:], None], strict=True):
                write.in_part = _size(write) if write.in_part is None else write.in_part
                if not (write.of_part and write.by_backward):
                    continue
                size = arrived(key, write.backwards - 1)
                zeros = write.size == 0 and after is not None and not after.by_backward
                if size is not None and (zeros or not math.isfinite(size)):
                    write.size = size

    def size_of_whole(
        self, key: int, part: float, arrived: Callable[[int, int], float | None]
    ) -> float:
        """Return how large a gradient is, of which this rank has a part: 0, a number, or NaN.

        ``part``: how large that is now; ``arrived``: as in :meth:`complete`. Of zeros in the part
        the whole is taken for zeros where nothing else was brought here, or where a write has made
        them of more than zeros.
        """
        writes = self._writes.get(key, [])
        dropped = [i for i, write in enumerate(writes) if write.known and write.size is None]
        writes = writes[dropped[-1] + 1 :] if dropped else writes
        if not math.isfinite(part) or not writes:
            return part
        by_script = [i for i, write in enumerate(writes) if not write.by_backward]
        brought = writes[by_script[-1] + 1 :] if by_script else writes
        if not brought:
            useful = [i for i, write in enumerate(writes) if write.in_part]
            after = writes[useful[-1] + 1 :] if useful else writes
            return 1.0 if any(write.by_backward for write in after) else part
        size = largest(
            [size for w in brought if (size := arrived(key, w.backwards - 1)) is not None]
        )
        if size is not None and not math.isfinite(size):
            return size
        return part or (1.0 if by_script else size or 0.0)

    def clear(self) -> None:
        """Let go of everything."""
        for known in (self._writes, self._seen, self._holders, self._in_storage, self._parameters):
            known.clear()

    def _add(self, parameter: Tensor, by: str, chain: Chain, *, given_out: bool = False) -> None:
        grad = _grad(parameter)
        size = None if grad is None else measured(local_part(grad))
        known = grad is None or size is not None
        of_part = grad is not None and is_part(grad)
        self._writes.setdefault(id(parameter), []).append(
            GradientWrite(
                by,
                chain,
                self._order,
                self._backwards,
                self._version(parameter),
                size,
                known,
                of_part,
                given_out,
            )
        )
        self._see(parameter)

    def _see(self, parameter: Tensor) -> None:
        grad = _grad(parameter)
        if grad is None:
            self._seen.pop(id(parameter), None)
            return
        self._seen[id(parameter)] = weakref.ref(grad), _version(grad)
        self._holders.setdefault(id(grad), {})[id(parameter)] = parameter
        address = _address(grad)
        if address:
            self._in_storage.setdefault(address, {})[id(parameter)] = parameter

    def _held_in(self, tensor: Tensor) -> Iterator[Tensor]:
        """Yield the parameters whose gradient a tensor is, or shares memory with."""
        mine = self._holders.get(id(tensor), {})
        found = [parameter for parameter in mine.values() if _grad(parameter) is tensor]
        if found:
            yield from found
            return
        for parameter in self._in_storage.get(_address(tensor), {}).values():
            grad = _grad(parameter)
            if grad is not None and _address(grad) == _address(tensor) and _overlap(grad, tensor):
                yield parameter

    def _version(self, parameter: Tensor) -> int:
        return _version(parameter) + self._aside[id(parameter)]

    def _rounds(self, key: int) -> list[list[GradientWrite]]:
        """Divide the writes where the parameter itself was written to, as an optimizer does."""
        writes = self._writes.get(key, [])
        return [list(group) for _, group in groupby(writes, attrgetter("version"))]


def _overwriting(
    writes: Sequence[GradientWrite], bad: Callable[[float | None], bool], *, stays: bool
) -> Overwriting | None:
    last = max((i for i, write in enumerate(writes) if not bad(_size(write))), default=None)
    if last is None or not all(write.known for write in writes):
        return None
    good, after = writes[: last + 1], writes[last + 1 :]
    useful = next((w for w in reversed(good) if w.by_backward and not bad(_size(w))), good[-1])
    if not after:
        given_out = next((write for write in reversed(writes) if write.given_out), None)
        return None if good[-1].size is None else Overwriting(useful, given_out)
    if after[0].by_backward or (not stays and any(write.by_backward for write in after)):
        return None
    return Overwriting(useful, after[0])


def _grad(parameter: Tensor) -> Tensor | None:
    return parameter.grad if parameter.is_leaf else None


def _version(tensor: Tensor | None) -> int:
    if tensor is None or is_uninitialized(tensor) or tensor.is_inference():
        return 0
    return versions.version(tensor)


def _size(write: GradientWrite) -> float | None:
    return write.size if isinstance(write.size, float) else None


def _is_none(size: float | None) -> bool:
    return size is None


def _is_nonfinite(write: GradientWrite) -> bool:
    size = _size(write)
    return size is not None and not math.isfinite(size)


def _on_device(write: GradientWrite) -> bool:
    return isinstance(write.size, Tensor)


def _address(tensor: Tensor) -> int:
    """Return the address of a tensor's memory; 0 for one without any of its own."""
    strided: Any = tensor.layout is torch.strided and not tensor.is_meta and not tensor.is_nested
    if not strided or is_inside_transform(tensor):
        return 0
    held = local_part(tensor)
    return 0 if wraps_others(held) else held.untyped_storage().data_ptr()


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors in the same memory may have an element in common."""
    (first, end), (begin, last) = _extent(one), _extent(other)
    return first < last and begin < end


def _extent(tensor: Tensor) -> tuple[int, int]:
    """Return the bytes of its memory that a tensor reaches from and to."""
    tensor = local_part(tensor)
    if tensor.numel() == 0:
        return 0, 0
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    reach = 1 + sum((size - 1) * stride for size, stride in pairs)
    first = int(tensor.storage_offset())
    return first * tensor.element_size(), (first + reach) * tensor.element_size()
