"""The audit log of a store."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.audit import AuditRow
from gradgate.server.store.audit import Actor, AuditQuery, Entry, audit_rows, record_entry
from gradgate.server.store.deletion import begin_deletion, delete_some
from gradgate.server.store.refusals import UnknownEntry
from gradgate.server.store.runs import lose

ALICE, BOB = Actor("alice", "10.0.0.1"), Actor("user bob", "10.0.0.2")
EVERYTHING = AuditQuery()


@pytest.fixture
def told(connection: Connection) -> list[AuditRow]:
    """Five entries, oldest first, three of them of one time."""
    run = "a" * 16
    for entry in (
        Entry(ALICE, "sign_in", time=1.0),
        Entry(ALICE, "edit", {"tags": ["x"]}, run, "digits", 2.0),
        Entry(BOB, "command", {"id": 7}, run, "digits#2", 2.0),
        Entry(BOB, "command", {"id": 8}, "b" * 16, "other", 2.0),
        Entry(BOB, "delete", {}, "b" * 16, "other", 3.0),
    ):
        record_entry(connection, entry)
    rows = audit_rows(connection, EVERYTHING, 10)
    return sorted(rows, key=lambda row: (row.time, row.detail.get("id", 0)))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EVERYTHING, {0, 1, 2, 3, 4}),
        (AuditQuery(since=2.0), {1, 2, 3, 4}),
        (AuditQuery(until=2.0), {0, 1, 2, 3}),
        (AuditQuery(since=1.5, until=2.5), {1, 2, 3}),
        (AuditQuery(actor="alice"), {0, 1}),
        (AuditQuery(actor="bob"), set()),
        (AuditQuery(run="a" * 16), {1, 2}),
        (AuditQuery(run="other"), {3, 4}),
        (AuditQuery(action="command"), {2, 3}),
        (AuditQuery(actor="user bob", run="other", action="delete"), {4}),
    ],
)
def test_entries_are_found(
    connection: Connection, told: list[AuditRow], wanted: AuditQuery, found: set[int]
) -> None:
    """By time, both ends included, by actor, by a run's id or name, and by what was done."""
    rows = audit_rows(connection, wanted, 10)
    assert {row.id for row in rows} == {told[place].id for place in found}
    assert [row.time for row in rows] == sorted((row.time for row in rows), reverse=True)


def test_pages_have_each_entry_once(connection: Connection, told: list[AuditRow]) -> None:
    """Those of one time, too; an entry that is not there begins no page."""
    pages: list[AuditRow] = []
    before = None
    while page := audit_rows(connection, EVERYTHING, 2, before):
        pages += page
        before = page[-1].id
    assert pages == audit_rows(connection, EVERYTHING, 10)
    assert len(pages) == len(told)
    with pytest.raises(UnknownEntry, match="no entry '0000"):
        audit_rows(connection, EVERYTHING, 2, "0" * 16)


def test_entries_outlive_the_run(connection: Connection, opened: str) -> None:
    """With its name, and who deleted it."""
    entry = Entry(ALICE, "edit", {"notes": "ü\x00"}, opened, "digits", 2.0)
    record_entry(connection, entry)
    lose(connection, opened)
    begin_deletion(connection, opened)
    while delete_some(connection, opened):
        pass
    (row,) = audit_rows(connection, EVERYTHING, 10)
    assert (row.actor, row.address, row.action) == ("alice", "10.0.0.1", "edit")
    assert (row.run, row.name, row.time) == (opened, "digits", 2.0)
    assert row.detail == {"notes": "ü\x00"}
