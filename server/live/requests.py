"""What people ask of jobs: commands, which are stored first, and questions, which wait."""

from __future__ import annotations

import time
from concurrent.futures import Future
from functools import partial

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from ..protocol.commands.change import ChangeRequest
from ..protocol.commands.registry import AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.effects import Preview
from ..protocol.events import EventRow
from ..protocol.run_names import numbered
from ..protocol.runs import RunStatus
from ..protocol.trials import RecordedHistory, Trial, TrialRequest
from ..store.announcements import Announcement
from ..store.audit import NOBODY_KNOWN, Actor, Entry, record_entry
from ..store.database import Store
from ..store.detection import record_command
from ..store.events import dismiss_event
from ..store.ledger import command_of, request
from ..store.questions import StoredQuestion
from ..store.recording import Changes
from ..store.refusals import EndedRun, Refusal
from ..store.runs import run_record, status_of
from ..store.trial_history import recorded_history
from ..store.writer import Writer
from .live_runs import LiveRuns
from .questions import NoJob, NoJobNow, Questions
from .relayed_questions import Answered, RelayedQuestions


class Requests:
    """Passes on what is asked of the jobs of a server.

    `command` may be called from any thread, the others from the event loop.
    """

    def __init__(self, store: Store, writer: Writer, runs: LiveRuns) -> None:
        self._store = store
        self._writer = writer
        self._runs = runs
        self._relayed = RelayedQuestions(store, writer)

    def command(
        self, run: str, asked: AnyRequest, actor: Actor = NOBODY_KNOWN
    ) -> Future[CommandRow]:
        """Store a command, and pass it to the probe and to the browsers when it is stored.

        The future raises what `ledger.request` or `Writer.submit` raise.
        """
        events: list[int] = []
        now = time.time()

        def work(connection: Connection) -> CommandRow:
            row = request(connection, run=run, asked=asked, now=now)
            changes = Changes(run, 0, given=[row.id])
            changes.add("commands", row.id)
            changes.add_events(record_command(connection, run, row.id, now))
            events.extend(changes.events)
            given = asked.model_dump(mode="json", exclude_unset=True)
            detail = {"command": row.id, **given, "by": row.by}
            name = numbered(run_record(connection, run))
            record_entry(connection, Entry(actor, "command", detail, run, name))
            self._store.announce(connection, changes)
            return row

        future = self._writer.submit(work)
        # Called in the writer's thread, so commands are passed on in the order of their ids.
        future.add_done_callback(partial(self._pass_on, run, events))
        return future

    def dismiss(
        self, run: str, number: int, *, dismissed: bool, actor: Actor = NOBODY_KNOWN
    ) -> Future[EventRow]:
        """Put an event aside, or take it up again, and tell the browsers.

        The future raises what `dismiss_event` or `Writer.submit` raise.
        """
        now = time.time() if dismissed else None

        def work(connection: Connection) -> EventRow:
            row = dismiss_event(connection, run, number, now)
            name = numbered(run_record(connection, run))
            detail = {"event": number, "dismissed": dismissed}
            record_entry(connection, Entry(actor, "dismiss", detail, run, name))
            changes = Changes(run, 0)
            changes.add("events", number)
            self._store.announce(connection, changes)
            return row

        future = self._writer.submit(work)
        future.add_done_callback(partial(self._tell_dismissed, run))
        return future

    async def preview(self, run: str, asked: ChangeRequest) -> Preview:
        """Ask a run's job what a command would touch.

        Raises `UnknownRun`, `EndedRun`, `NoJob`, `NoJobNow`, or what `Questions.preview` raises.
        """
        questions = await self._questions(run)
        if questions is None:
            return await self._relayed.preview(run, asked)
        return await questions.preview(asked)

    async def trial(self, run: str, asked: TrialRequest) -> Trial:
        """Ask a run's job how a gate would have fared over what is recorded.

        Raises `UnknownRun`, `EndedRun`, `NoJob`, `NoJobNow`, or what `Questions.trial` raises.
        """
        questions = await self._questions(run)
        if questions is None:
            return await self._relayed.trial(run, asked)
        return await questions.trial(asked, await run_in_threadpool(self._history, run, asked))

    async def hear(self, told: Announcement) -> None:
        """Answer what another server asks a job that is connected here, or take its answer."""
        self._relayed.hear(told)
        live = self._runs.get(told.run)
        if told.question is None or live is None or live.connection is None:
            return
        question = await self._relayed.take(told.question, told.run)
        if question is not None:
            await self._relayed.answer(question, await self._answered(question))

    async def _answered(self, question: StoredQuestion) -> Answered:
        said: Preview | Trial
        try:
            if question.kind == "preview":
                change = ChangeRequest.model_validate_json(question.asked)
                said = await self.preview(question.run, change)
            else:
                gate = TrialRequest.model_validate_json(question.asked)
                said = await self.trial(question.run, gate)
        except Refusal as refusal:
            return Answered.refused(refusal)
        return Answered(said=said.model_dump_json())

    async def _questions(self, run: str) -> Questions | None:
        """Return what the job of a run is asked by; None when another server may have the job.

        Raises when there is nobody to ask.
        """
        status = await run_in_threadpool(self._status, run)
        if status.ended:
            raise EndedRun(run)
        live = self._runs.get(run)
        if live is not None and live.connection is not None:
            return live.connection.questions
        if self._store.shared and status is RunStatus.LIVE:
            return None
        absent = NoJobNow if status is RunStatus.LIVE else NoJob
        raise absent(
            f"The job of run {run!r} is not connected, so it cannot be asked: try again when "
            "it is back, or send the command without asking, and it waits for the job."
        )

    def _pass_on(self, run: str, events: list[int], future: Future[CommandRow]) -> None:
        if not future.cancelled() and future.exception() is None:
            command = command_of(future.result().model_dump())
            self._runs.command_from_writer(run, command)
            self._runs.announce_from_writer(run, events)

    def _tell_dismissed(self, run: str, future: Future[EventRow]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._runs.change_from_writer(run, future.result().id)

    def _status(self, run: str) -> RunStatus:
        with self._store.read() as connection:
            return status_of(connection, run)

    def _history(self, run: str, asked: TrialRequest) -> RecordedHistory | None:
        with self._store.read() as connection:
            return recorded_history(connection, run, asked)
