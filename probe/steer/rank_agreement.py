"""Has the ranks of a distributed job apply the same commands after the same step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.errors import CommandError
from ..base.guard import Guard
from ..distributed.ranks import Ranks
from ..model.commands import Command, read_command
from ..torch_compat.wrappers import Wrappers
from .reports import Reports, fault_sentence


class RankAgreement:
    """The ranks, as far as commands go; in a job that is not distributed there is nothing to do."""

    def __init__(
        self, ranks: Ranks | None, wrappers: Wrappers, reports: Reports, guard: Guard
    ) -> None:
        self._ranks = ranks
        self._wrappers = wrappers
        self._reports = reports
        self._guard = guard

    @property
    def leads(self) -> bool:
        """Whether this rank is told what is wanted; the others hear of it from this one."""
        return self._ranks is None or self._ranks.leader

    @property
    def is_needed(self) -> bool:
        """Whether there are other ranks to agree with."""
        return self._ranks is not None

    def check(self) -> None:
        """Raise :class:`CommandError` if there are other ranks that this run does not talk to."""
        if self._ranks is None and self._wrappers.processes() > 1:
            raise CommandError(
                "this run was attached before init_process_group, so it cannot agree with the "
                "other ranks; call attach() after it, on every rank, or with alone=True where this "
                "process trains its model by itself."
            )

    def agree(self, step: int, call: Mapping[str, Any]) -> None:
        """Return once every rank has made the same call; raise :class:`CommandError` if not."""
        if self._ranks is not None:
            self._ranks.agree(step, call)

    def exchange(self, commands: Sequence[Command], step: int) -> list[Command]:
        """Give the leader's commands to all ranks; return those that all apply after ``step``."""
        assert self._ranks is not None
        received = self._ranks.receive(step)
        for message, reason in self._ranks.called_off():
            for command in self._read(message):
                self._reports.reject(command, reason, step)
        if self._ranks.leader:
            self._publish(self._ranks, commands, step)
        return [command for message in received for command in self._read(message)]

    def _publish(self, ranks: Ranks, commands: Sequence[Command], step: int) -> None:
        told = []
        for command in commands:
            with self._guard.attempt() as attempt:
                told.append(command.as_message())
            if attempt.error is not None:
                self._reports.reject(command, fault_sentence(attempt), step)
        if told:
            ranks.publish({"commands": told})

    def _read(self, message: Mapping[str, Any]) -> list[Command]:
        commands = []
        for fields in message["commands"]:
            with self._guard:
                commands.append(read_command(fields))
        return commands
