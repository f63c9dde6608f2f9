"""The random generators that a step may draw from, and their states."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn


def keep_generators(modules: Iterable[nn.Module]) -> Callable[[], None]:
    """Read the state of every random generator that is known; return what puts it back.

    Those are torch's of the CPU and of each accelerator in use, ``random``'s, numpy's, and
    generators that a module holds as an attribute.
    """
    undo = [
        _kept(torch.get_rng_state, torch.set_rng_state),
        _kept(random.getstate, random.setstate),
        _kept(np.random.get_state, np.random.set_state),
    ]
    used = [backend for backend in (torch.cuda, torch.xpu) if backend.is_initialized()]
    undo += [_kept(each.get_rng_state_all, each.set_rng_state_all) for each in used]
    if torch.backends.mps.is_available():
        undo.append(_kept(torch.mps.get_rng_state, torch.mps.set_rng_state))
    for module in modules:
        undo += [_own(each) for each in vars(module).values() if isinstance(each, _OWN)]

    def put_back() -> None:
        for each in undo:
            each()

    return put_back


_OWN = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)


def _own(generator: Any) -> Callable[[], None]:
    """Keep the state of a generator that is an object of its own."""
    if isinstance(generator, random.Random):
        return _kept(generator.getstate, generator.setstate)
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return _kept(lambda: bits.state, lambda state: setattr(bits, "state", state))
    return _kept(generator.get_state, generator.set_state)


def _kept(read: Callable[[], Any], write: Callable[[Any], object]) -> Callable[[], None]:
    state = read()

    def put_back() -> None:
        write(state)

    return put_back
