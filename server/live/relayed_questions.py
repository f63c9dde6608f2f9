"""Questions to jobs that are connected to another server of the same data base."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from ..protocol.commands.change import ChangeRequest
from ..protocol.effects import Preview
from ..protocol.trials import Trial, TrialRequest
from ..store.announcements import Announcement
from ..store.database import Store
from ..store.questions import (
    Kind,
    StoredQuestion,
    put_answer,
    put_question,
    read_question,
    take_answer,
)
from ..store.refusals import EndedRun, Refusal, UnknownRun
from ..store.writer import Writer
from .questions import (
    ANSWER_WITHIN,
    NoAnswer,
    NoJob,
    NoJobNow,
    TooManyQuestions,
    WouldBeRejected,
)

TAKEN_WITHIN = 2.0
"""Seconds in which the server that the job is connected to says that it asks."""
_WAITING = 256

_REFUSALS: dict[str, type[Refusal]] = {
    kind.__name__: kind
    for kind in (
        EndedRun,
        NoAnswer,
        NoJob,
        NoJobNow,
        TooManyQuestions,
        UnknownRun,
        WouldBeRejected,
    )
}

M = TypeVar("M", bound=BaseModel)


class Answered(BaseModel):
    """What a server answers for the job: what the job said, as JSON, or why it says nothing."""

    said: str | None = None
    refusal: str | None = None
    """The name of its class."""
    message: str = ""

    @classmethod
    def refused(cls, refusal: Refusal) -> Answered:
        """Return the answer that raises a refusal at the server that asked."""
        return cls(refusal=type(refusal).__name__, message=str(refusal))

    def raised(self) -> Refusal:
        """Return the refusal as it was raised at the other server."""
        kind = _REFUSALS.get(self.refusal or "", NoJobNow)
        refusal = kind.__new__(kind)
        Exception.__init__(refusal, self.message)
        return refusal


class _Waiting:
    """A question that was asked, and whether it is taken and answered."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()
        self.answered = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the answer, or until there will be none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_WITHIN):
                await self.taken.wait()
            async with asyncio.timeout(ANSWER_WITHIN + TAKEN_WITHIN):
                await self.answered.wait()


class RelayedQuestions:
    """Asks through the data base, and is told by announcements; used in the event loop."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store = store
        self._writer = writer
        self._waiting: dict[str, _Waiting] = {}

    async def preview(self, run: str, asked: ChangeRequest) -> Preview:
        """Return what a command would touch; raises what `Requests.preview` raises."""
        return await self._ask(run, "preview", asked, Preview)

    async def trial(self, run: str, asked: TrialRequest) -> Trial:
        """Return how a gate would have fared; raises what `Requests.trial` raises."""
        return await self._ask(run, "trial", asked, Trial)

    def hear(self, told: Announcement) -> None:
        """Take up that another server asks, or has answered."""
        if told.taken in self._waiting:
            self._waiting[told.taken].taken.set()
        if told.answered in self._waiting:
            self._waiting[told.answered].taken.set()
            self._waiting[told.answered].answered.set()

    async def take(self, number: str, run: str) -> StoredQuestion | None:
        """Return a question of another server, which is told that the job is asked."""

        def work(connection: Connection) -> StoredQuestion | None:
            self._store.tell(connection, Announcement(run=run, taken=number))
            return read_question(connection, number)

        return await asyncio.wrap_future(self._writer.submit(work))

    async def answer(self, question: StoredQuestion, answered: Answered) -> None:
        """Answer the server that asked."""
        told = Announcement(run=question.run, answered=question.number)

        def work(connection: Connection) -> None:
            put_answer(connection, question.number, answered.model_dump_json())
            self._store.tell(connection, told)

        await asyncio.wrap_future(self._writer.submit(work))

    async def _ask(self, run: str, kind: Kind, asked: BaseModel, answer: type[M]) -> M:
        if len(self._waiting) >= _WAITING:
            raise TooManyQuestions
        question = StoredQuestion(secrets.token_hex(8), run, kind, asked.model_dump_json())
        told = Announcement(run=run, question=question.number)

        def work(connection: Connection) -> None:
            put_question(connection, question, time.time())
            self._store.tell(connection, told)

        waiting = self._waiting[question.number] = _Waiting()
        try:
            await asyncio.wrap_future(self._writer.submit(work))
            await waiting.wait()
        finally:
            del self._waiting[question.number]
        take = partial(take_answer, number=question.number)
        text = await asyncio.wrap_future(self._writer.submit(take))
        if text is None:
            raise NoJobNow(
                f"The job of run {run!r} is not connected to any server that answers, so it cannot "
                "be asked: try again when it is back, or send the command without asking, and it "
                "waits for the job."
            )
        answered = Answered.model_validate_json(text)
        if answered.said is None:
            raise answered.raised()
        return answer.model_validate_json(answered.said)
