"""A row of the matrix, and the training job that it builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer

STEPS = 30
FIRST_AT, SECOND_AT = 6, 26
"""The boundaries, after these steps, of the freeze and of the thaw: 20 steps in between."""


@dataclass
class Job:
    """A real training job, small and repeatable: built twice, it makes the same bits twice."""

    model: nn.Module | Mapping[str, nn.Module]
    """What the script gives to ``attach``."""
    optimizers: list[Optimizer]
    step: Callable[[int], None]
    """Makes the step of a number, from 1 on: forward, backward and the optimizers' step."""
    scaler: GradScaler | None = None
    closure: bool = False
    """The optimizer makes its gradients itself, by a closure."""
    rewrap: Callable[[], None] | None = None
    """Wraps the model anew, where parameters must not be flipped by hand under a wrapper."""
    by_hand: bool = False
    """Parameters are frozen by hand, so that a backward through nothing but those would raise."""

    @property
    def models(self) -> Mapping[str, nn.Module]:
        """The models by the prefix of their parameters' names."""
        if isinstance(self.model, nn.Module):
            return {"": self.model}
        return self.model

    def parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter once, by its name of today."""
        return {
            f"{key}.{name}" if key else name: parameter
            for key, model in self.models.items()
            for name, parameter in model.named_parameters()
        }


@dataclass(frozen=True)
class Row:
    """One way to train."""

    name: str
    """As in ``docs/compatibility.md``."""
    build: Callable[[], Job]
    target: str
    """What is frozen and thawed: a parameter's name, a module's path, or a glob."""
    refusal: str | None = None
    """What the error says, for a way to train under which a freeze is refused."""
    skipped: frozenset[int] = frozenset()
    """The steps that a ``GradScaler`` skips."""
    unseen: frozenset[int] = frozenset()
    """Of these the steps whose end nothing shows until their gradients are dropped."""
    sharded: bool = False
    """Of several processes each has a part of the model."""
    untrained: frozenset[str] = frozenset()
    """Parameters that no optimizer has."""
    thaws_first: bool = False
    """The script froze the target itself: it is thawed, then frozen again."""
    differs_eagerly: bool = False
    """Compiled, it computes other last bits than eagerly, as a traced step runs."""
    marks: tuple[pytest.MarkDecorator, ...] = ()

    @property
    def commands(self) -> dict[int, str]:
        """What is commanded, by the step at whose boundary."""
        first, second = ("thaw", "freeze") if self.thaws_first else ("freeze", "thaw")
        return {FIRST_AT: first, SECOND_AT: second}

    @property
    def questions(self) -> dict[int, str]:
        """At which boundaries it is asked why gradients are missing."""
        return {} if self.differs_eagerly else {4: "explain", 12: "explain", 13: "explain"}

    @property
    def held(self) -> tuple[tuple[int, int], ...]:
        """The times in which the target is frozen: after which step, and until after which."""
        if self.thaws_first:
            return (0, FIRST_AT), (SECOND_AT, STEPS)
        return ((FIRST_AT, SECOND_AT),)

    @property
    def trained(self) -> tuple[tuple[int, int], ...]:
        """The times in which it is not."""
        if self.thaws_first:
            return ((FIRST_AT, SECOND_AT),)
        return (0, FIRST_AT), (SECOND_AT, STEPS)

    def as_parameter(self) -> object:
        """The row as a parameter of pytest's."""
        return pytest.param(self, id=self.name, marks=self.marks)
