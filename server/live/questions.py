"""What a probe is asked and has not answered yet."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import TypeVar

from ..protocol import limits
from ..protocol.commands.change import ChangeRequest
from ..protocol.effects import Preview
from ..protocol.probe_messages import Answer, PreviewAnswer, TrialAnswer
from ..protocol.server_messages import PreviewQuestion, TrialQuestion
from ..protocol.trials import RecordedHistory, Trial, TrialRequest
from ..store.refusals import Refusal

ANSWER_WITHIN = 5.0

Question = PreviewQuestion | TrialQuestion
A = TypeVar("A", PreviewAnswer, TrialAnswer)


class WouldBeRejected(Refusal):
    """The job says that it would reject the command."""

    status = 409
    title = "Rejected"


class NoJob(Refusal):
    """Nothing is heard of the job, so there is none to ask."""

    status = 409
    title = "No job"


class NoJobNow(Refusal):
    """The job has no connection for a moment."""

    status = 503
    title = "No connection"


class TooManyQuestions(Refusal):
    """So many questions wait for the job already that no more are asked."""

    status = 429
    title = "Too many questions"

    def __init__(self) -> None:
        super().__init__(
            f"{limits.QUESTIONS} questions wait for this job already: try again in a moment."
        )


class NoAnswer(Refusal):
    """The job did not answer in time."""

    status = 504
    title = "No answer"

    def __init__(self) -> None:
        super().__init__(
            f"The job did not answer within {ANSWER_WITHIN:.0f} seconds, perhaps since a step "
            "takes longer: try again, or send the command without asking."
        )


class Questions:
    """The questions to one connection of a probe; bounded, and used in the event loop only."""

    def __init__(self, news: asyncio.Event) -> None:
        """Set `news` whenever there is something to send."""
        self._news = news
        # A late answer to a question of an earlier connection, or server, must match none of these.
        self._numbers = itertools.count(secrets.randbelow(2**32))
        self._unsent: list[Question] = []
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def preview(self, asked: ChangeRequest) -> Preview:
        """Return what a command would touch; raises `WouldBeRejected`, or what `trial` raises."""
        answer = await self._ask(
            PreviewAnswer, lambda number: PreviewQuestion(request=number, **asked.model_dump())
        )
        if answer.preview is None:
            raise WouldBeRejected(answer.refused)
        return answer.preview

    async def trial(self, asked: TrialRequest, history: RecordedHistory | None) -> Trial:
        """Return how a gate would have fared.

        Raises `NoAnswer`, `TooManyQuestions`, or `NoJobNow` when the connection ends before the
        answer.
        """
        fields = asked.model_dump(exclude={"samples"})
        return await self._ask(
            TrialAnswer,
            lambda number: TrialQuestion(request=number, history=history, **fields),
        )

    def take(self) -> list[Question]:
        """Return the questions that have to be sent; from now on they count as sent."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def answer(self, answer: Answer) -> None:
        """Hand an answer to whoever asked; one that nobody waits for any more is ignored."""
        future = self._waiting.get(answer.request)
        if future is not None and not future.done():
            future.set_result(answer)

    def abandon(self) -> None:
        """Fail what was asked and not answered, since the connection ended."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(
                    NoJobNow(
                        "The connection to the job ended while it was asked: "
                        "try again when it is back."
                    )
                )

    async def _ask(self, kind: type[A], question: Callable[[int], Question]) -> A:
        if len(self._waiting) >= limits.QUESTIONS:
            raise TooManyQuestions
        number = next(self._numbers)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._unsent.append(question(number))
            self._news.set()
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await future
        except TimeoutError as error:
            raise NoAnswer from error
        finally:
            del self._waiting[number]
            self._unsent = [each for each in self._unsent if each.request != number]
        if not isinstance(answer, kind):
            raise NoAnswer
        return answer
