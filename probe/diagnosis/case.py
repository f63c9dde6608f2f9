"""A parameter under diagnosis: what is known without the trace, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..base.source import Place
from ..model.freeze import Freeze
from ..model.gate_info import GateInfo
from ..model.onset import Onset
from .tape import Value


@dataclass(frozen=True)
class Finding:
    """The cause for one parameter, before it is put into stations and sent."""

    cause: str
    detail: str
    advice: str
    place: Place | None = None
    way: list[Value] = field(default_factory=list)
    """From the parameter to the loss; where it does not lead there, as far as it goes."""
    stop: Value | None = None
    """The value of the way that the gradient does not get past: None, it stops at the parameter."""
    stopped_by: str = ""
    """What stands at the stop: ``detach()``, ``relu``, a module that is never called."""
    goes_on: bool = False
    """The gradient does not end at the stop: there it turns into what is of no use."""


@dataclass(frozen=True)
class Case:
    """A parameter, and the state of its gradient after the traced step."""

    index: int | None
    """Its place in the table; None for one that no model has."""
    name: str
    key: int
    """``id`` of the tensor."""
    state: str
    """The word of a :class:`~gradgate.probe.base.states.State`."""
    in_optimizer: bool
    """True also where no optimizer is known."""
    owners: tuple[str, ...]
    """The paths of the modules that hold it."""
    freeze: Freeze | None = None
    gate: GateInfo | None = None
    onset: Onset | None = None
    """When gradients stopped being finite, in a live job whose are not."""
    update: Finding | None = None
    """What steps have been seen to do to it, and ought not to; known in a live job."""

    useful_in: int | None = None
    """The latest step seen in which it had a useful gradient; known in a live job."""

    @property
    def well(self) -> bool:
        """Return whether it has a useful gradient that somebody applies, and moves it."""
        return self.state == "present" and self.in_optimizer and self.update is None
