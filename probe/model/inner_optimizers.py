"""Optimizers inside optimizers: the one that a script calls is not always the one that steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch.optim import Optimizer


def family(optimizer: Optimizer, others: Sequence[Optimizer] = ()) -> list[Optimizer]:
    """Return an optimizer and those that it holds over tensors of its own, outermost first.

    Sharpness-aware minimization, Lookahead and collections of optimizers keep the optimizer
    that makes the step in an attribute, a list or a dict, and some of their users call that
    one's step by another name. One of ``others`` is no part of it.
    """
    found = [optimizer]
    passed = {id(other) for other in others}
    for each in found:  # grows while it is read
        for inner in _held(each):
            new = id(inner) not in passed and all(inner is not known for known in found)
            if new and _tensors(inner) & _tensors(optimizer):
                found.append(inner)
    return found


def with_inner(optimizers: Sequence[Optimizer]) -> list[Optimizer]:
    """Return all of the optimizers, and all that are inside of them."""
    return [each for optimizer in optimizers for each in family(optimizer, optimizers)]


def parts(optimizer: Optimizer) -> list[Optimizer]:
    """Return the optimizers that an optimizer is made of, or itself alone.

    It is made of them where each of its tensors is in exactly one: a step of it is one of each,
    and a script may call each by itself.
    """
    inner = [each for each in _held(optimizer) if each is not optimizer]
    sets = [_tensors(each) for each in inner]
    together = set().union(*sets)
    disjoint = sum(map(len, sets)) == len(together)
    return inner if len(inner) > 1 and disjoint and together == _tensors(optimizer) else [optimizer]


def _held(optimizer: Optimizer) -> Iterator[Optimizer]:
    for value in list(vars(optimizer).values()):
        several = isinstance(value, (list, tuple, dict))
        values = (
            (list(value.values()) if isinstance(value, dict) else value) if several else [value]
        )
        yield from (each for each in values if isinstance(each, Optimizer))


def _tensors(optimizer: Optimizer) -> set[int]:
    groups = getattr(optimizer, "param_groups", ())
    return {id(tensor) for group in groups for tensor in group["params"]}
