"""What a store holds, counted for whoever watches the server."""

from __future__ import annotations

from sqlalchemy import event

from gradgate.server.events.finding import Finding
from gradgate.server.protocol.commands.state import CommandState
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.database import Store
from gradgate.server.store.events import append_events, dismiss_event
from gradgate.server.store.figures import KeptFigures
from gradgate.server.store.runs import open_run
from tests.support.probing import hello

RUN = "a" * 16


def test_runs_commands_and_open_alerts_are_counted_once_in_a_while(store: Store) -> None:
    """Each status and state is there, with none in it too; to ask again at once is no query."""
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(RUN)), 1.0)
        found = [
            Finding("spike", level, 1.0, 5, "It rose.", {}) for level in ("alert", "alert", "note")
        ]
        append_events(connection, RUN, found)
        dismiss_event(connection, RUN, 2, 50.0)
        engine = connection.engine
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    kept = KeptFigures(store, fresh=3600)
    figures = kept.read()
    queries = len(asked)
    assert kept.read() is figures
    assert len(asked) == queries > 0
    assert figures.runs == {
        RunStatus.LIVE: 1,
        RunStatus.FINISHED: 0,
        RunStatus.FAILED: 0,
        RunStatus.LOST: 0,
    }
    assert dict.fromkeys(CommandState, 0) == figures.commands
    assert figures.open_alerts == 1
    assert figures.size > 50_000
