"""A parameter as a diagnosis meets it: what is known without the trace."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.freeze import Freeze
from ..model.gate_info import GateInfo


@dataclass(frozen=True)
class Subject:
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

    @property
    def well(self) -> bool:
        """Whether it has a useful gradient that somebody applies."""
        return self.state == "present" and self.in_optimizer
