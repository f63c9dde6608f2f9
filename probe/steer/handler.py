"""Carries out the commands of a kind: the interface of a handler, and where one is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from ..model.commands import Command
from ..model.selection import Selection

C = TypeVar("C", bound=Command, contravariant=True)


class Handler(Protocol[C]):
    """Does what the commands of one kind ask; called in the training thread."""

    def resolve(self, command: C) -> Selection:
        """Return what a command touches, or raise :class:`GradgateError` if it cannot be done.

        Also called in other threads, for a preview; it changes nothing.
        """

    def admit(self, command: C, selection: Selection, step: int) -> bool:
        """Take up a command that came in; return whether it is to be applied with its batch.

        A batch is applied on all ranks after the same step. Otherwise the handler has done it
        already, or keeps it until something has been seen.
        """

    def apply(self, command: C, selection: Selection, step: int) -> None:
        """Bring about what a command of the batch asks, after ``step``."""

    def apply_now(self, command: C, selection: Selection, step: int) -> None:
        """Do what a command of the script asks, between the boundary of ``step`` and a forward."""

    def is_undone_by(self, command: C, later: Command) -> bool:
        """Return whether ``later``, of the same batch, undoes ``command`` where both touch."""


Handlers = Mapping[type[Command], Handler[Any]]
"""The handler of each kind; :mod:`gradgate.probe.session.wiring` makes it."""
