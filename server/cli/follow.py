"""Following a command until the job has done or refused it."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..protocol.commands.row import CommandRow
from ..protocol.commands.state import CommandState
from ..protocol.runs import RunRow, RunStatus
from .client import Client
from .errors import Broken, Failed, Unreachable

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
NO_STEP = 5.0
"""Seconds without a step of the job after which it is said that the command waits for one."""
PATIENCE = 15.0
"""Seconds for a server that went, perhaps to be restarted."""

FAILED = frozenset({CommandState.DRIFTED, CommandState.REJECTED, CommandState.SUPERSEDED})


class RunEnded(Exception):
    """The run was over before the last state of the command; its text says how it ended."""


class Following:
    """One command of one run; `row` is the latest that is known of it."""

    def __init__(
        self,
        client: Client,
        row: CommandRow,
        run: str,
        last: CommandState,
        on_state: Callable[[CommandState, CommandRow], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        """Follow a command whose `last` state is that in which it is done.

        `on_state` is called with each state in its turn, `on_trouble` with sentences.
        """
        self._client = client
        self._run = run
        self._final = FAILED | {CommandState.VERIFIED, last}
        self._on_state = on_state
        self._on_trouble = on_trouble
        self._known: set[CommandState] = set()
        self._said: set[str] = set()
        self._step: int | None = None
        """The job's latest step, and since when that is known."""
        self._since = time.monotonic()
        self.row = row

    def until_final(self) -> CommandRow:
        """Wait; raises `RunEnded`, or what the client raises when its server stays away."""
        pause = FIRST_PAUSE
        self._report_states()
        while self.row.state not in self._final:
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.3)
            run, self.row = self._ask()
            self._report_states()
            self._check(run)
        return self.row

    def _ask(self) -> tuple[RunRow, CommandRow]:
        """Return the run and the command, asked until the server answers or the patience ends."""
        deadline = time.monotonic() + PATIENCE
        while (found := self._answer(deadline)) is None:
            self._warn(f"The server does not answer now; trying for {PATIENCE:.0f} seconds.")
            time.sleep(LONGEST_PAUSE / 2)
        return found

    def _answer(self, deadline: float) -> tuple[RunRow, CommandRow] | None:
        try:
            # In this order: a run that has finished changes its commands no more.
            run = self._client.run(self._run)
            return run, self._client.command(self._run, self.row.id)
        except (Unreachable, Broken, Failed) as error:
            passing = not isinstance(error, Failed) or error.status == 503
            if not passing or time.monotonic() > deadline:
                raise
            return None

    def _report_states(self) -> None:
        for name in self.row.times:
            state = CommandState(name)
            if state not in self._known:
                self._known.add(state)
                self._on_state(state, self.row)

    def _check(self, run: RunRow) -> None:
        if self.row.state in self._final:
            return
        if run.status.ended:
            raise RunEnded(run.status.value)
        if run.status is RunStatus.LOST:
            self._warn("Nothing is heard of the job; the command waits for it.")
            return
        if self.row.state is CommandState.DELIVERED and self.row.detail is not None:
            self._warn(f"The command waits: {self.row.detail}")
            return
        now = time.monotonic()
        if run.step != self._step:
            self._step, self._since = run.step, now
        elif now - self._since >= NO_STEP:
            self._warn(
                f"The job has made no step for {NO_STEP:.0f} seconds, since step {run.step:,}, "
                "and the command waits for its next: it may be evaluating, or wait itself."
            )

    def _warn(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._on_trouble(sentence)
