"""A preview: asked of the job, and answered by it or by a sentence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from gradgate.server.live.questions import NoJobNow, Questions, TooManyQuestions, WouldBeRejected
from gradgate.server.protocol import limits
from gradgate.server.protocol.commands.change import ChangeRequest
from gradgate.server.protocol.probe_messages import PreviewAnswer
from tests.support.loops import run_coroutine
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for, wait_until

FREEZE = {"kind": "freeze", "target": "a.*"}
WITHIN = 20


class Asker:
    """Asks for previews while the test plays the job."""

    def __init__(self, server: ServerProcess, run: str, threads: ThreadPoolExecutor) -> None:
        self._server = server
        self._path = f"/api/runs/{run}/preview"
        self._threads = threads

    def ask(self, **query: object) -> Future[httpx.Response]:
        """The answer to come."""
        return self._threads.submit(self._server.page, self._path, params={**FREEZE, **query})


@pytest.fixture
def asker(shared_server: ServerProcess, run: str) -> Iterator[Asker]:
    """Asks for previews of the run."""
    with ThreadPoolExecutor(20) as threads:
        yield Asker(shared_server, run, threads)


def with_questions(work: Callable[[Questions], Awaitable[Any]]) -> Any:
    """Do something with questions to nobody, in a loop of their own."""

    async def start() -> Any:
        return await work(Questions(asyncio.Event()))

    return run_coroutine(start())


def test_a_question_that_cannot_be_asked_takes_no_place() -> None:
    """However many cannot, the next that can is asked and answered."""

    async def work(questions: Questions) -> str | None:
        for _ in range(limits.QUESTIONS + 1):
            with pytest.raises(ValidationError):
                await questions.preview(ChangeRequest.model_construct(kind="melt", target="a"))
        asking = asyncio.create_task(questions.preview(ChangeRequest(kind="freeze", target="a")))
        while not (sent := questions.take()):
            await asyncio.sleep(0)
        questions.answer(PreviewAnswer(type="preview", request=sent[0].request + 1, refused="no"))
        questions.answer(PreviewAnswer(type="preview", request=sent[0].request, refused="never"))
        with pytest.raises(WouldBeRejected) as refused:
            await asking
        return str(refused.value)

    assert with_questions(work) == "never"


def test_no_more_questions_wait_than_the_limit() -> None:
    """One more is refused at once, and those that wait fail when the connection ends."""

    async def work(questions: Questions) -> set[type]:
        asked = ChangeRequest(kind="freeze", target="a")
        asking = [asyncio.create_task(questions.preview(asked)) for _ in range(limits.QUESTIONS)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyQuestions, match="wait for this job already"):
            await questions.preview(asked)
        questions.abandon()
        return {type(each) for each in await asyncio.gather(*asking, return_exceptions=True)}

    assert with_questions(work) == {NoJobNow}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mode": "no_grad", "hold_stats": True, "target": "encoder"},
        {"kind": "thaw", "reset_state": True},
    ],
)
def test_the_job_answers(
    shared_server: ServerProcess, run: str, asker: Asker, change: dict[str, object]
) -> None:
    """The question has what was asked, and the job's answer comes back whole."""
    asked = {**FREEZE, "mode": "grad", "hold_stats": False, "reset_state": False, **change}
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = asker.ask(**change)
        question = probe.until_question()
        assert {**question, "request": 0} == {"type": "preview", "request": 0, **asked}
        sent = probe.answer(question)
        assert answer.result(WITHIN).status_code == 200
        assert answer.result().json() == sent
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_refusal_of_the_job_is_a_409(
    shared_server: ServerProcess, run: str, asker: Asker
) -> None:
    """The sentence is the job's own."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = asker.ask()
        probe.answer(probe.until_question(), refused="'a.*' matches nothing; there is 'b.*'.")
        assert answer.result(WITHIN).status_code == 409
    assert answer.result().json() == {"detail": "'a.*' matches nothing; there is 'b.*'."}


def test_answers_go_to_those_who_asked(
    shared_server: ServerProcess, run: str, asker: Asker
) -> None:
    """Answered in another order, and among answers that nobody waits for, each gets its own."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answers = {target: asker.ask(target=target) for target in ("a", "b", "c")}
        questions = [probe.until_question() for _ in answers]
        probe.answer({**questions[0], "request": questions[0]["request"] + 1000})
        for question in reversed(questions):
            probe.answer(question)
            probe.answer({**question, "target": "late"})
        for target, answer in answers.items():
            assert answer.result(WITHIN).json()["target"] == target


def test_a_silent_job_is_a_504(shared_server: ServerProcess, run: str, asker: Asker) -> None:
    """Within about five seconds, in which the server serves others and the job's frames."""
    with FakeProbe(shared_server, hello(run)) as probe:
        started = time.monotonic()
        answer = asker.ask()
        question = probe.until_question()
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        assert shared_server.get(f"/api/runs/{run}")["samples"] == 1
        assert not answer.done()
        assert answer.result(WITHIN).status_code == 504
        assert 4 < time.monotonic() - started < 15
        probe.answer(question)
        again = asker.ask()
        probe.answer(probe.until_question())
        assert again.result(WITHIN).status_code == 200
    assert "did not answer within 5 seconds" in answer.result().json()["detail"]


def test_a_job_that_goes_meanwhile_is_a_503(
    shared_server: ServerProcess, run: str, asker: Asker
) -> None:
    """Those who wait are told at once, not after five seconds."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = asker.ask()
        probe.until_question()
        gone = time.monotonic()
    assert answer.result(WITHIN).status_code == 503
    assert time.monotonic() - gone < 4
    assert "ended while it was asked" in answer.result().json()["detail"]


def test_a_newer_connection_is_not_asked_again(
    shared_server: ServerProcess, run: str, asker: Asker
) -> None:
    """The question ends with the connection that it went to, and the next is the newer one's."""
    with FakeProbe(shared_server, hello(run)) as older:
        lost = asker.ask()
        old = older.until_question()
        with FakeProbe(shared_server, hello(run)) as newer:
            assert lost.result(WITHIN).status_code == 503
            answer = asker.ask(target="b")
            question = newer.until_question()
            assert question["request"] != old["request"]
            newer.answer(old)
            newer.answer(question)
            assert answer.result(WITHIN).json()["target"] == "b"


def test_too_many_questions_are_a_429(shared_server: ServerProcess, run: str, asker: Asker) -> None:
    """A job that does not answer is not asked without end; those who wait get their answers."""
    with FakeProbe(shared_server, hello(run)) as probe:
        waiting = [asker.ask(target=str(number)) for number in range(16)]
        questions = [probe.until_question() for _ in waiting]
        refused = asker.ask().result(WITHIN)
        assert refused.status_code == 429
        assert "try again in a moment" in refused.json()["detail"]
        for question in questions:
            probe.answer(question)
        assert {answer.result(WITHIN).status_code for answer in waiting} == {200}


def test_a_moment_without_a_connection_is_a_503(server: ServerProcess, run: str) -> None:
    """A live run whose probe is about to be back refuses nothing: the command can be sent."""
    path = f"/api/runs/{run}"
    with FakeProbe(server, hello(run)):
        pass
    # The server calls a run lost after ten seconds, and until then it is live.
    answer = wait_until(
        lambda: server.page(f"{path}/preview", params=FREEZE), lambda got: got.status_code == 503
    )
    assert server.get(path)["status"] == "live"
    assert "is not connected" in answer.json()["detail"]
    assert "send the command without asking" in answer.json()["detail"]
    assert server.post(f"{path}/commands", FREEZE).status_code == 202


def test_without_a_job_there_is_none(shared_server: ServerProcess, run: str, asker: Asker) -> None:
    """Unknown is a 404; a lost run and a finished one are 409s that say so."""
    assert asker.ask().result(WITHIN).status_code == 404
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)):
        pass
    wait_for(lambda: shared_server.get(path)["status"] == "lost", 10, "the run is lost")
    answer = asker.ask().result(WITHIN)
    assert (answer.status_code, "is not connected" in answer.text) == (409, True)
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.bye()
        wait_for(lambda: shared_server.get(path)["status"] == "finished")
        answer = asker.ask().result(WITHIN)
        assert (answer.status_code, "has ended" in answer.text) == (409, True)


def test_an_answer_that_is_none_ends_the_connection(
    shared_server: ServerProcess, run: str, asker: Asker
) -> None:
    """Neither a preview nor a refusal is malformed, and the one who asked is told of the end."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = asker.ask()
        question = probe.until_question()
        probe.send({"type": "preview", "request": question["request"]})
        code, last = probe.until_closed()
        assert code == 1008
        assert last is not None
        assert "either `preview` or `refused`" in last["message"]
        assert answer.result(WITHIN).status_code == 503


@pytest.mark.parametrize("change", [{"kind": "explode"}, {"target": ""}, {"surprise": 1}])
def test_a_wrong_question_is_a_422(
    shared_server: ServerProcess, run: str, asker: Asker, change: dict[str, object]
) -> None:
    """What no command could be is not asked of the job."""
    with FakeProbe(shared_server, hello(run)) as probe:
        assert asker.ask(**change).result(WITHIN).status_code == 422
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        assert probe.questions == []
