"""What is written of who comes in, and who does not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from gradgate.server.store.audit import Actor, AuditQuery, audit_rows
from gradgate.server.store.database import Store
from gradgate.server.web import access_log
from gradgate.server.web.access_log import FIRST_PAUSE, LONGEST_PAUSE, AccessLog, WrongTries
from gradgate.server.web.tokens import Kind, Token
from tests.support.loops import run_coroutine


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Writer:
    """Writes to a store in this thread, or fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails = False

    def submit(self, work: Callable[[Connection], None]) -> Future[None]:
        future: Future[None] = Future()
        if self.fails:
            future.set_exception(OperationalError("locked", None, Exception()))
        else:
            with self._store.write() as connection:
                work(connection)
            future.set_result(None)
        return future


def test_a_flood_of_wrong_tokens_is_a_few_entries() -> None:
    """The first at once, then all of a minute, of two, of four, at last of an hour."""
    clock = Clock()
    tries = WrongTries(clock)
    entries = []
    for second in range(24 * 3600):
        clock.now += 1
        for _ in range(3):
            tries.add(f"10.0.0.{second % 3}")
        if entry := tries.take():
            entries.append((second, entry))
    assert len(entries) < 35
    (first, at_first), (second, later), *_ = entries
    assert (first, at_first.detail, at_first.actor.address) == (0, {"tries": 3}, "10.0.0.0")
    assert second == 120
    assert later.actor.address == ""
    assert later.detail == {
        "tries": 360,
        "addresses": ["10.0.0.1", "10.0.0.2", "10.0.0.0"],
        "more": False,
    }
    assert sum(entry.detail["tries"] for _, entry in entries) > 3 * 23 * 3600
    clock.now += 2 * LONGEST_PAUSE
    tries.take()
    clock.now += 2 * LONGEST_PAUSE + FIRST_PAUSE
    tries.add("10.0.0.9")
    assert tries.take() is not None


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    """Each try counts, and the entry names the addresses with the most."""
    tries = WrongTries()
    for number in range(3000):
        tries.add(f"2001:db8::{number:x}")
    tries.add("2001:db8::5")
    entry = tries.take()
    assert entry is not None
    assert entry.detail["tries"] == 3001
    assert len(entry.detail["addresses"]) == access_log.NAMED
    assert (entry.detail["addresses"][0], entry.detail["more"]) == ("2001:db8::5", True)


@pytest.fixture
def store(tmp_path: Any) -> Any:
    """An empty store."""
    store = Store(tmp_path)
    yield store
    store.close()


def actions(store: Store) -> list[tuple[str, str]]:
    """What is written, oldest first."""
    with store.read() as connection:
        rows = audit_rows(connection, AuditQuery(), 100)
    return [(row.actor, row.action) for row in reversed(rows)]


def test_what_cannot_be_written_waits(store: Store) -> None:
    """And is written once, when the store can be; at the end wrong tokens are, too."""
    log, writer = AccessLog(), Writer(store)

    async def work() -> None:
        log.add(Actor("alice"), "sign_in")
        writer.fails = True
        await log.flush(writer)  # type: ignore[arg-type]
        assert actions(store) == []
        writer.fails = False
        await log.flush(writer)  # type: ignore[arg-type]
        await log.flush(writer)  # type: ignore[arg-type]
        log.wrong_token("10.0.0.1")
        await log.flush(writer, at_once=True)  # type: ignore[arg-type]
        log.wrong_token("10.0.0.1")
        await log.flush(writer)  # type: ignore[arg-type]
        assert len(actions(store)) == 2
        await log.flush(writer, at_once=True)  # type: ignore[arg-type]

    run_coroutine(work())
    assert actions(store) == [("alice", "sign_in"), ("", "wrong_token"), ("", "wrong_token")]


def test_which_tokens_came_and_went(store: Store) -> None:
    """By name and kind, and never what they are; one that changed went and came."""
    log, writer = AccessLog(), Writer(store)
    kept, old = Token("kept", Kind.VIEW, "s" * 16), Token("alice", Kind.VIEW, "t" * 16)
    new, bob = Token("alice", Kind.VIEW, "u" * 16), Token("bob", Kind.CONTROL, "v" * 16)
    log.tokens_changed((kept, old), (kept, new, bob))
    run_coroutine(log.flush(writer))  # type: ignore[arg-type]
    with store.read() as connection:
        rows = audit_rows(connection, AuditQuery(), 10)
    assert {(row.action, row.detail["token"], row.detail["kind"]) for row in rows} == {
        ("token_revoked", "alice", "view"),
        ("token_added", "alice", "view"),
        ("token_added", "bob", "control"),
    }
    assert {row.actor for row in rows} == {"token file"}
    assert not any(secret in str(rows) for secret in ("t" * 16, "u" * 16, "v" * 16))
