"""The thread that writes: one run's trouble is that run's alone."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, create_engine, delete, event

from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import Bye, Hello
from gradgate.server.store import writer
from gradgate.server.store.database import Store
from gradgate.server.store.recording import Changes
from gradgate.server.store.runs import open_run, run_record
from gradgate.server.store.tables import runs
from gradgate.server.store.write_queue import WriterEnded
from gradgate.server.store.writer import Writer
from gradgate.server.web.app import create_app
from tests.support.damaging import PARAMETERS, SAMPLES, damage_marked, store_runs
from tests.support.loops import run_coroutine
from tests.support.probing import FakeProbe, hello, pack_sample
from tests.support.serving import ServerProcess
from tests.support.storing import behind, block, place, settings
from tests.support.waiting import wait_for

GOOD, BAD = "a" * 16, "b" * 16
WITHIN = 20
ENDS = pytest.mark.filterwarnings("ignore:Exception in thread gradgate-writer")


class Desk:
    """A writer with its store, and what it told."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        self.store = Store(place(folder))
        self._fails = fails
        self.damaged = False
        self.acked: queue.Queue[tuple[str, int]] = queue.Queue()
        self.dropped: queue.Queue[str] = queue.Queue()
        self.writer = Writer(
            self.store,
            self._committed,
            self._dropped,
        )
        self.writer.start()

    def open(self, run: str) -> int:
        """Say hello for a run, and return its `last_seq`."""
        greeting = Hello.model_validate(hello(run, name=run))

        def work(connection: Connection) -> int:
            self.writer.resume(run)
            return open_run(connection, greeting, 1.0).last_seq

        return self.writer.submit(work).result(WITHIN)

    def sample(self, run: str, seq: int, statistic: int = 1) -> None:
        """Queue a sample; with statistic 0, which ingest refuses, it collides with its states."""
        frame = pack_sample(seq, seq, [1, 1], {statistic: [1, 1]})
        self.writer.append(run, decode(frame), len(frame))

    def _dropped(self, run: str, damaged: bool) -> None:
        if self._fails:
            raise ZeroDivisionError
        self.dropped.put(run)
        self.damaged = damaged

    def _committed(self, changes: Sequence[Changes]) -> None:
        if self._fails:
            raise ZeroDivisionError
        for change in changes:
            self.acked.put((change.run, change.last_seq))

    def last_seq(self, run: str) -> int:
        """What is stored of a run."""
        with self.store.read() as connection:
            return int(run_record(connection, run).last_seq)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A writer with an empty store and two runs."""
    desk = Desk(tmp_path)
    desk.open(GOOD)
    desk.open(BAD)
    yield desk
    desk.writer.close()
    desk.store.close()


def test_frames_that_cannot_be_stored_harm_their_own_run_alone(desk: Desk) -> None:
    """In one batch with them the other run's are stored, and the run's own later ones are not."""
    with blocked(desk):
        desk.sample(GOOD, 1)
        desk.sample(BAD, 1, statistic=0)
        desk.sample(GOOD, 2)
    assert desk.dropped.get(timeout=WITHIN) == BAD
    desk.sample(BAD, 2)
    desk.sample(GOOD, 3)
    while desk.acked.get(timeout=WITHIN) != (GOOD, 3):
        pass
    assert desk.last_seq(GOOD) == 3
    assert desk.last_seq(BAD) == 0
    assert desk.open(BAD) == 0
    desk.sample(BAD, 1)
    assert desk.acked.get(timeout=WITHIN) == (BAD, 1)


@pytest.mark.sqlite
def test_what_damage_keeps_from_being_written_is_not_acknowledged(tmp_path: Path) -> None:
    """It is dropped as damaged; the other run of the same batch is stored and acknowledged."""
    file = store_runs(tmp_path, [GOOD, BAD], marked=BAD)
    damage_marked(file)
    desk = Desk(tmp_path)
    with blocked(desk):
        for run in (BAD, GOOD):
            frame = pack_sample(SAMPLES + 1, SAMPLES + 1, [1] * PARAMETERS, {})
            desk.writer.append(run, decode(frame), len(frame))
    assert desk.dropped.get(timeout=WITHIN) == BAD
    assert desk.damaged
    assert desk.acked.get(timeout=WITHIN) == (GOOD, SAMPLES + 1)
    desk.writer.close()
    desk.store.close()


def test_what_came_before_a_frame_that_cannot_be_stored_is(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one batch of its run, up to the frame that the log names; behind it nothing is."""
    with blocked(desk):
        for seq in range(1, 8):
            desk.sample(BAD, seq, statistic=0 if seq == 6 else 1)
    assert desk.dropped.get(timeout=WITHIN) == BAD
    assert desk.last_seq(BAD) == 5
    assert f"The sample with seq 6 of run {BAD} cannot be stored" in caplog.text


def test_a_goodbye_is_stored_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what came before it: the job waits for that at its end."""
    desk.sample(GOOD, 1)
    desk.acked.get(timeout=WITHIN)
    monkeypatch.setattr(writer, "INTERVAL", 600.0)
    # The thread may wait with the shorter one already; after a task it waits anew.
    desk.writer.submit(lambda _: None).result(WITHIN)
    desk.sample(GOOD, 2)
    desk.writer.append(GOOD, Bye(type="bye", time=1.0, step=2), 40)
    assert desk.acked.get(timeout=WITHIN) == (GOOD, 2)


def test_a_frame_that_cannot_be_stored_is_found_in_few_transactions(desk: Desk) -> None:
    """Each is a wait for the disk, in which every other run waits too."""
    rollbacks: list[Connection] = []
    with desk.store.read() as connection:
        engine = connection.engine
    with blocked(desk):
        for seq in range(1, 129):
            desk.sample(BAD, seq, statistic=0 if seq == 1 else 1)
        event.listen(engine, "rollback", rollbacks.append)
    assert desk.dropped.get(timeout=WITHIN) == BAD
    # One with the other runs, one alone, and one each time that half of it is left.
    assert len(rollbacks) < 20


def test_whoever_is_told_and_fails_stops_no_writer(tmp_path: Path) -> None:
    """What is stored stays stored, and the next frames are too."""
    desk = Desk(tmp_path, fails=True)
    desk.open(GOOD)
    desk.sample(GOOD, 1)
    desk.sample(GOOD, 2, statistic=0)
    desk.writer.submit(lambda _: None).result(WITHIN)
    desk.open(GOOD)
    desk.sample(GOOD, 2)
    desk.writer.submit(lambda _: None).result(WITHIN)
    assert desk.last_seq(GOOD) == 2
    assert desk.writer.running
    desk.writer.close()
    desk.store.close()


def test_a_job_hands_on_whatever_it_raises(desk: Desk) -> None:
    """An error that nobody foresaw comes out of the future, and the next job is done."""
    with pytest.raises(ZeroDivisionError):
        desk.writer.submit(lambda _: 1 // 0).result(WITHIN)
    assert desk.writer.submit(lambda _: "done").result(WITHIN) == "done"


def test_what_comes_after_what_is_given_up_is_not_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that can be written again as the server stops has no hole that its end hides."""
    monkeypatch.setattr("gradgate.server.store.writer.CLOSE_PATIENCE", 0.1)
    with blocked(desk):
        desk.sample(GOOD, 1)
        wait_for(lambda: desk.writer.error, WITHIN, "the first try fails")
        desk.sample(GOOD, 2)
        closing = threading.Thread(target=desk.writer.close)
        closing.start()
        wait_for(lambda: "1 frames could not be stored" in caplog.text, WITHIN, "it is given up")
    closing.join(WITHIN)
    assert "The server stops before all that came was stored" in caplog.text
    assert desk.last_seq(GOOD) == 0


@ENDS
def test_a_writer_that_ended_says_so(desk: Desk) -> None:
    """A job for a thread that is gone fails at once, rather than wait for ever."""
    desk.writer.submit(lambda _: sys.exit())
    wait_for(lambda: not desk.writer.running, WITHIN, "the thread ends")
    with pytest.raises(WriterEnded, match="start it again"):
        desk.writer.submit(lambda _: None).result(WITHIN)


@ENDS
def test_health_tells_of_a_writer_that_ended(tmp_path: Path) -> None:
    """A server whose writing thread is gone answers 503 with a sentence."""

    async def healths() -> list[httpx.Response]:
        app = create_app(settings(tmp_path))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", trust_env=False
        )
        async with app.router.lifespan_context(app), client:
            before = await client.get("/healthz")
            app.state.parts.hub.writer.submit(lambda _: sys.exit())
            wait_for(lambda: not app.state.parts.hub.writer.running, WITHIN, "the thread ends")
            return [before, await client.get("/healthz")]

    before, after = run_coroutine(healths())
    assert before.status_code == 200
    assert after.status_code == 503
    assert "thread that writes the store has ended" in after.json()["store"]["error"]


def test_a_run_that_vanished_from_the_store_stops_nobody(server: ServerProcess) -> None:
    """Its probe is told why it is closed, and the probe of another run goes on."""
    with FakeProbe(server, hello(GOOD)) as good, FakeProbe(server, hello(BAD)) as bad:
        with behind(server.data) as store:
            store.execute(delete(runs).where(runs.c.id == BAD))
        bad.sample(1, [1, 1])
        code, last = bad.until_closed()
        assert code == 1008
        assert last is not None
        assert (last["type"], last["retry"]) == ("error", False)
        assert "cannot store what this run sent" in last["message"]
        good.sample(1, [1, 1])
        good.until_acked(1)
    assert server.get("/healthz")["status"] == "ok"


@contextmanager
def blocked(desk: Desk) -> Iterator[None]:
    """Keep the writer from the store, so that what is queued meanwhile becomes one batch."""
    with desk.store.read() as connection:
        engine = create_engine(connection.engine.url)
    with engine.begin() as connection:
        block(connection)
        yield
    engine.dispose()
