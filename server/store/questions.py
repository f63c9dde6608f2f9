"""Questions to jobs that are connected to another server of the data base, and the answers."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from .tables import questions

KEPT = 3600.0
"""Seconds after which a question is removed whose server was killed before the answer came."""

Kind = Literal["preview", "trial"]


class StoredQuestion(NamedTuple):
    """What is asked of a run's job; `asked` is JSON."""

    number: str
    run: str
    kind: Kind
    asked: str


def put_question(connection: Connection, question: StoredQuestion, now: float) -> None:
    """Store a question for the server that the job is connected to."""
    connection.execute(delete(questions).where(questions.c.time < now - KEPT))
    connection.execute(
        insert(questions).values(
            id=question.number,
            run=question.run,
            kind=question.kind,
            asked=question.asked,
            answer=None,
            time=now,
        )
    )


def read_question(connection: Connection, number: str) -> StoredQuestion | None:
    """Return a question that nobody has given up."""
    row: Row[Any] | None = connection.execute(
        select(questions).where(questions.c.id == number)
    ).one_or_none()
    return None if row is None else StoredQuestion(row.id, row.run, row.kind, row.asked)


def put_answer(connection: Connection, number: str, answer: str) -> None:
    """Store an answer, which is JSON."""
    connection.execute(update(questions).where(questions.c.id == number).values(answer=answer))


def take_answer(connection: Connection, number: str) -> str | None:
    """Remove a question, and return its answer if it has one."""
    here = questions.c.id == number
    answer = connection.scalar(select(questions.c.answer).where(here))
    connection.execute(delete(questions).where(here))
    return answer
