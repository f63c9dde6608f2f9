"""Two servers of one data base: what the one hears of a job is live at the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.statistics import Statistic
from tests.server.live.test_browser_socket import watching
from tests.support.postgresql import Cluster
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

LOST_AFTER = 2.0
WITHIN = 20
FREEZE = {"kind": "freeze", "target": "a.*"}


@pytest.fixture(scope="module")
def pair(
    postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two servers of one data base."""
    data = tmp_path_factory.mktemp("pair")
    options = ("--store", str(postgresql.database()), "--lost-after", str(LOST_AFTER))
    with ServerProcess(data / "1", *options) as one, ServerProcess(data / "2", *options) as two:
        yield one, two


@pytest.fixture
def one(pair: tuple[ServerProcess, ServerProcess]) -> ServerProcess:
    """The server that jobs connect to."""
    return pair[0]


@pytest.fixture
def two(pair: tuple[ServerProcess, ServerProcess]) -> ServerProcess:
    """The server that pages are loaded from."""
    return pair[1]


def test_samples_and_metrics_are_live_at_the_other_server(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """With the states, every statistic and the range of the norms, as at the job's own server."""
    with FakeProbe(one, hello(run)) as probe, watching(two, run) as page:
        probe.sample(1, [3, float("nan")], [1, 0], grad_max=[2, float("nan")])
        sample = page.sample()
        assert (sample.step, sample.states.tolist()) == (1, [1, 0])
        for statistic, value in ((Statistic.GRAD_NORM, 3), (Statistic.GRAD_MAX, 2)):
            assert np.array_equal(
                sample.values[statistic], np.float32([value, np.nan]), equal_nan=True
            )
        logged = {"type": "metrics", "seq": 2, "step": 1, "time": 1.0, "values": {"loss": 0.5}}
        probe.send(logged)
        assert page.message("metrics")["points"][0]["values"] == {"loss": 0.5}
        for seq in range(3, 43):
            probe.sample(seq, [100 if seq == 20 else 1, 1])
        highest = 0.0

        def last(frame: object) -> bool:
            nonlocal highest
            if isinstance(frame, Sample):
                highest = max(highest, float(frame.values[Statistic.GRAD_NORM_HIGH][0]))
                return frame.step == 42
            return False

        page.until(last)
        assert highest == 100


def test_a_command_given_at_the_other_server_reaches_the_job(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """Within a second, and the page there sees what becomes of it."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(one, hello(run)) as probe, watching(two, run) as page:
        asked = time.monotonic()
        assert two.post(path, FREEZE).json()["id"] == 1
        probe.until_command(1)
        assert time.monotonic() - asked < 1
        assert one.post(path, FREEZE).json()["id"] == 2
        probe.until_command(2)
        probe.report(1, 1, "verified", step=4, parameters=[0])

        def verified(frame: object) -> bool:
            return isinstance(frame, dict) and "verified" in [
                each["state"] for each in frame.get("commands", ())
            ]

        page.until(verified)
        assert two.get(f"{path}/1")["step"] == 4


def test_alerts_gates_and_the_table_are_live_at_the_other_server(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """Each as its own message."""
    with FakeProbe(one, hello(run)) as probe, watching(two, run) as page:
        probe.alerts(1)
        page.message("alerts")
        probe.gates(2)
        page.message("gates")
        probe.explanations(3, 1)
        page.message("explanations")


def test_a_question_at_the_other_server_is_answered_by_the_job(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """A preview and a trial come back whole, and a refusal as the job's server gave it."""
    path = f"/api/runs/{run}"
    with FakeProbe(one, hello(run)) as probe, ThreadPoolExecutor(1) as threads:
        asking = threads.submit(two.page, f"{path}/preview", params=FREEZE)
        sent = probe.answer(probe.until_question())
        assert asking.result(WITHIN).json() == sent
        asking = threads.submit(two.page, f"{path}/preview", params=FREEZE)
        probe.answer(probe.until_question(), refused="'a.*' matches nothing.")
        assert asking.result(WITHIN).status_code == 409
        assert asking.result().json() == {"detail": "'a.*' matches nothing."}
        gate = {"site": "param:a.weight", "when": "norm > 1"}
        asking = threads.submit(two.post, f"{path}/trial", gate)
        sent = probe.answer_trial(probe.until_question())
        assert asking.result(WITHIN).json() == sent


def test_a_job_that_no_server_has_is_asked_in_vain(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """Soon, and with a sentence that says what to do."""
    with FakeProbe(one, hello(run)):
        pass
    answer = two.page(f"/api/runs/{run}/preview", params=FREEZE)
    assert answer.status_code == 503
    assert "is not connected to any server that answers" in answer.json()["detail"]


def test_a_run_is_lost_only_when_no_server_hears_it(
    one: ServerProcess, two: ServerProcess, run: str
) -> None:
    """While the job is heard at one, the other calls nothing lost; once it is silent, both do."""
    path = f"/api/runs/{run}"
    seen = set()
    with FakeProbe(one, hello(run)) as probe:
        begun = time.monotonic()
        seq = 0
        while time.monotonic() - begun < 2 * LOST_AFTER:
            seq += 1
            probe.sample(seq, [1, 1])
            probe.until_acked(seq)
            seen.add(two.get(path)["status"])
    assert seen == {"live"}
    for server in (one, two):
        wait_until(lambda server=server: server.get(path)["status"], lambda now: now == "lost")


def test_the_other_server_finds_that_a_killed_servers_run_is_lost(
    postgresql: Cluster, tmp_path: Path, run: str
) -> None:
    """And a new server at the old address takes the job back, with what was asked meanwhile."""
    options = ("--store", str(postgresql.database()), "--lost-after", "1")
    path = f"/api/runs/{run}"
    with ServerProcess(tmp_path / "1", *options) as one, ServerProcess(tmp_path, *options) as two:
        with FakeProbe(one, hello(run)) as probe:
            probe.sample(1, [1, 1])
            probe.until_acked(1)
            one.kill()
        with watching(two, run) as page:
            page.until(
                lambda frame: (
                    isinstance(frame, dict) and frame.get("run", {}).get("status") == "lost"
                )
            )
            assert two.post(f"{path}/commands", FREEZE).json()["state"] == "requested"
            one.restart()
            with FakeProbe(one, hello(run)) as probe:
                assert probe.welcome["last_seq"] == 1
                probe.until_command(1)
                page.until(
                    lambda frame: (
                        isinstance(frame, dict) and frame.get("run", {}).get("status") == "live"
                    )
                )
            with FakeProbe(two, hello(run)) as probe:
                assert probe.welcome["last_seq"] == 1
                probe.sample(2, [5, 1])
                assert page.sample().step == 2
                probe.until_acked(2)
            assert one.get(path)["samples"] == 2


def test_a_data_base_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path, run: str) -> None:
    """Health says so, what comes is kept, and then jobs, pages and servers go on as before."""
    cluster = Cluster()
    options = ("--store", str(cluster.database()), "--lost-after", "2")
    path = f"/api/runs/{run}"
    with (
        ExitStack() as stack,
        ServerProcess(tmp_path / "1", *options) as one,
        ServerProcess(tmp_path / "2", *options) as two,
        FakeProbe(one, hello(run)) as probe,
    ):
        stack.callback(cluster.remove)
        probe.sample(1, [1, 1])
        probe.until_acked(1)
        cluster.kill()
        for seq in range(2, 30):
            probe.sample(seq, [seq, 1])
        for server in (one, two):
            health = wait_until(
                partial(server.page, "/healthz"), lambda answer: answer.status_code == 503
            )
            assert "what jobs send is kept" in health.json()["store"]["error"]
            assert len(health.json()["store"]["error"].splitlines()) == 1
            answer = server.page(path)
            assert answer.status_code == 503
            assert "see GET /healthz, and try again" in answer.json()["detail"]
        assert probe.acked == 1
        cluster.start()
        probe.until_acked(29)
        wait_until(lambda: one.page("/healthz").status_code, lambda code: code == 200)
        wait_until(lambda: two.page("/healthz").status_code, lambda code: code == 200)
        assert one.get(path)["samples"] == 29
        # Whether the servers hear each other yet or not.
        probe.until_command(two.post(f"{path}/commands", FREEZE).json()["id"])
        for server in (one, two):
            wait_until(partial(server.page, "/healthz"), lambda answer: answer.status_code == 200)
            wait_until(partial(getattr, server, "output"), lambda said: "are heard again" in said)
            assert server.output.count("ERROR: The store cannot be written") <= 1
            assert server.output.count("ERROR: Other servers are not heard") == 1
        with watching(two, run) as page:
            probe.sample(30, [30, 1])
            assert page.sample().step == 30
