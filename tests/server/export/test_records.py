"""Tables of the REST API's rows, read from a store without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gradgate.server.export.columns import Table
from gradgate.server.export.records import COMMANDS, PARAMETERS
from gradgate.server.export.selection import Selection
from gradgate.server.protocol.commands.change import CommandRequest
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.ledger import request
from gradgate.server.store.runs import open_run
from tests.support.probing import hello

RUN = "e" * 16
WHOLE = Selection(RUN, "digits", [0, 1])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one run, and more commands in it than a batch has rows."""
    store = Store(tmp_path)
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(RUN)), 1.0)
        for number in range(1100):
            request(connection, RUN, CommandRequest(kind="freeze", target="a.*"), float(number))
    yield store
    store.close()


def test_batches_hold_every_row_once(store: Store) -> None:
    """In order."""
    place = [column.name for column in COMMANDS.columns].index("id")
    numbers = [number for batch in COMMANDS.batches(store, WHOLE) for number in batch[place]]
    assert numbers == list(range(1, 1101))


@pytest.mark.parametrize("table", [COMMANDS, PARAMETERS])
def test_who_takes_rows_slowly_holds_no_transaction(
    table: Table, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended when the first batch is there."""
    reading: list[Connection] = []
    read = store.read

    @contextmanager
    def counted() -> Iterator[Connection]:
        with read() as connection:
            reading.append(connection)
            yield connection
        reading.clear()

    monkeypatch.setattr(store, "read", counted)
    batches = iter(table.batches(store, WHOLE))
    assert next(batches)
    assert reading == []
