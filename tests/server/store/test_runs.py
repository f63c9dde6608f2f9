"""Runs in the store: what a person changes of them, and which are listed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.runs import RunEdit
from gradgate.server.store.refusals import NameTaken, UnknownRun
from gradgate.server.store.runs import edit_run, open_run, run_row, run_rows
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


def test_a_name_is_that_of_one_run(connection: Connection, both: tuple[str, str]) -> None:
    """Another run's is refused, its own and a free one are taken; the job's return changes none."""
    first, _ = both
    with pytest.raises(NameTaken, match=f"Run {OTHER!r} is already named 'other': choose another"):
        edit_run(connection, first, RunEdit(name="other"))
    for name in ("digits", "mine"):
        edit_run(connection, first, RunEdit(name=name))
        assert run_row(connection, first).name == name
    open_run(connection, Hello.model_validate(hello(first)), 3.0)
    assert run_row(connection, first).name == "mine"


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
