"""Runs in the store: what a person changes of them, and which are listed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.runs import RunEdit
from gradgate.server.store.refusals import AmbiguousRun, UnknownRun
from gradgate.server.store.runs import edit_run, lose, open_run, run_named, run_row, run_rows
from tests.support.probing import hello

OTHER = "f" * 16


@pytest.fixture
def both(connection: Connection, opened: str) -> tuple[str, str]:
    """Two runs, the later named `other`."""
    open_run(connection, Hello.model_validate(hello(OTHER, name="other")), 2.0)
    return opened, OTHER


def test_only_what_is_given_is_changed(connection: Connection, opened: str) -> None:
    """Each field for itself; the answer is the run as it is then."""
    before = run_row(connection, opened).model_dump(exclude={"server_time"})
    assert (before["tags"], before["notes"], before["archived"]) == ([], "", False)
    changes = {"name": "new name", "tags": ["a", "b"], "notes": "Two\nlines.", "archived": True}
    for field, value in changes.items():
        edit_run(connection, opened, RunEdit.model_validate({field: value}))
        before[field] = value
        assert run_row(connection, opened).model_dump(exclude={"server_time"}) == before


def test_runs_of_a_name_are_numbered(connection: Connection, both: tuple[str, str]) -> None:
    """A renamed run is the next of its new name; its own name and its job's return change none."""
    first, second = both

    def name(run: str) -> tuple[str, int]:
        row = run_row(connection, run)
        return row.name, row.number

    edit_run(connection, first, RunEdit(name="digits"))
    assert [name(first), name(second)] == [("digits", 1), ("other", 1)]
    edit_run(connection, first, RunEdit(name="other"))
    assert [name(first), name(second)] == [("other", 2), ("other", 1)]
    open_run(connection, Hello.model_validate(hello(first)), 3.0)
    open_run(connection, Hello.model_validate(hello("e" * 16, name="other")), 3.0)
    assert [name(first), name("e" * 16)] == [("other", 2), ("other", 3)]


def test_a_name_means_the_run_that_lives(connection: Connection, both: tuple[str, str]) -> None:
    """Of two that live neither; of one that lives and one that ended the first; else the latest."""
    first, second = both
    edit_run(connection, first, RunEdit(name="other"))
    with pytest.raises(AmbiguousRun, match=r"any of 2 live runs: other#1, other#2\. Give one of"):
        run_named(connection, "other")
    lose(connection, second)
    wanted = ("other", "other#1", second, "digits", "a\0")
    assert [run_named(connection, each) for each in wanted] == [first, second, *wanted[2:]]
    lose(connection, first)
    assert [run_named(connection, each) for each in wanted] == [first, second, *wanted[2:]]


def test_runs_are_listed_by_name_and_group(connection: Connection, both: tuple[str, str]) -> None:
    """A job says what it is a part of."""
    open_run(connection, Hello.model_validate(hello("e" * 16, group="lr search")), 3.0)
    found = (run_rows(connection, name="digits"), run_rows(connection, group="lr search"))
    assert [[row.id for row in rows] for rows in found] == [["e" * 16, both[0]], ["e" * 16]]
    assert found[1][0].group == "lr search"


def test_an_unknown_run_is_not_edited(connection: Connection) -> None:
    """The refusal says where the known ones are."""
    with pytest.raises(UnknownRun, match="GET /api/runs"):
        edit_run(connection, "nosuch", RunEdit(notes="x"))


def test_archived_runs_are_listed_when_asked(connection: Connection, both: tuple[str, str]) -> None:
    """Also among those with tags, all of which a run has to have."""
    first, second = both
    edit_run(connection, first, RunEdit(tags=["good", "lr 0.1"], archived=True))
    edit_run(connection, second, RunEdit(tags=["good"]))

    def listed(*arguments: object) -> list[str]:
        return [row.id for row in run_rows(connection, *arguments)]  # type: ignore[arg-type]

    assert listed() == [second]
    assert listed(True) == [second, first]
    assert listed(True, ["good", "lr 0.1"]) == [first]
    assert listed(False, ["lr 0.1"]) == []


def test_names_and_tags_are_kept_without_space_around() -> None:
    """Each tag once, in order."""
    edit = RunEdit(name=" a b ", tags=[" z", "a ", "z"])
    assert edit.changed == {"name": "a b", "tags": ["a", "z"]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {},
            "nothing is changed: give at least one of name, tags, notes, archived, keep_days,",
        ),
        ({"name": None}, "nothing is changed"),
        ({"name": "  "}, "at least 1 character"),
        ({"name": "a" * 513}, "at most 512 characters"),
        ({"name": "a\0"}, "pattern"),
        ({"tags": ["a", ""]}, "at least 1 character"),
        ({"tags": ["a" * 65]}, "at most 64 characters"),
        ({"tags": [str(number) for number in range(33)]}, "at most 32 items"),
        ({"notes": "a" * 8193}, "at most 8192 characters"),
        ({"status": "live"}, "not permitted"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, object], message: str) -> None:
    """With a sentence, before anything is stored."""
    with pytest.raises(ValidationError, match=message):
        RunEdit.model_validate(fields)
