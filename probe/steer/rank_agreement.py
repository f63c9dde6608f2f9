"""Has the ranks of a distributed job apply the same commands after the same step."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..base.errors import CommandError
from ..base.guard import Guard
from ..distributed.calls import named
from ..distributed.exchange import RanksApart
from ..distributed.ranks import Ranks
from ..model.commands import Command, read_command
from ..torch_compat.wrappers import Wrappers
from .reports import Reports, fault_sentence

DONE_WITHIN = 20.0
"""Seconds that a rank which has done a command waits to hear that the others have."""


class Together:
    """Surrounds what is done on every rank, or undone on each.

    Where it fails on one, :class:`CommandError` is raised on those on which it does not: ranks with
    other gradients to reduce than the others would take the job down. One that is interrupted waits
    for nobody.
    """

    def __init__(self, agreement: RankAgreement, command: Command, step: int) -> None:
        self._agreement = agreement
        self._command = command
        self._step = step

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):
            problem = self._agreement.hear_of(self._command, self._step, done=kind is None)
            if kind is None and problem is not None:
                raise CommandError(f"{problem}; nothing was done.")


class RankAgreement:
    """The ranks, as far as commands go; in a job that is not distributed there is nothing to do."""

    def __init__(
        self, ranks: Ranks | None, wrappers: Wrappers, reports: Reports, guard: Guard
    ) -> None:
        self._ranks = ranks
        self._wrappers = wrappers
        self._reports = reports
        self._guard = guard
        self._asked_in = 0
        self._asked: Counter[str] = Counter()
        """How often each command was given in the present step."""
        self._told = False
        """The others were told whether what is being done was done here."""

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

    def together(self, command: Command, step: int) -> Together:
        """Return what surrounds the doing of a command after ``step``, on every rank."""
        return Together(self, command, step)

    @contextmanager
    def answering(self, command: Command, step: int) -> Iterator[None]:
        """Tell the others also where something fails before, or behind, what is done together."""
        self._told = False
        try:
            yield
        except Exception:
            if not self._told:
                self.hear_of(command, step, done=False)
            raise

    def hear_of(self, command: Command, step: int, *, done: bool) -> str | None:
        """Tell the others whether it was done here; return why it was not on all, if so."""
        if self._ranks is None:
            return None
        self._told = True
        asked = f"{step}/{json.dumps(command.asked(), sort_keys=True)}"
        if self._asked_in != step:
            self._asked_in, self._asked = step, Counter()
        self._asked[asked] += 1
        digest = hashlib.sha256(f"{asked}/{self._asked[asked]}".encode()).hexdigest()[:32]
        ask = partial(self._ranks.share, "done", digest, done, step, DONE_WITHIN)
        told: list[str] = []
        with self._guard.attempt() as attempt:
            # Once the others go by it, a fault here must not undo it here alone.
            self._guard.insist(lambda: told.extend(_failures(ask)))
        if attempt.error is not None:
            return fault_sentence(attempt)
        return told[0] if told else None

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


def _failures(ask: Callable[[], list[bool]]) -> list[str]:
    """Say why a command was not done on all ranks, if so."""
    try:
        answers = ask()
    except RanksApart as error:
        return [f"whether all ranks have done it is not known ({error})"]
    failed = [rank for rank, answer in enumerate(answers) if not answer]
    return [f"{named(failed)} could not do it"] if failed else []
