"""What was measured goes out, sample by sample."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.live.explainer import Explainer
from gradgate.probe.measure import metrics as metrics_module
from gradgate.probe.measure.measurement import Measured
from gradgate.probe.measure.metrics import MAX_PENDING, MetricValues
from gradgate.probe.model.sample import Sample
from gradgate.probe.session.delivery import GATHERING
from gradgate.probe.session.run import job_of
from tests.support.forked import run_python
from tests.support.steered import chain, steps


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the uplink is given to send."""
    found: list[Any] = []
    for method in ("send_sample", "send_metrics"):
        monkeypatch.setattr(Uplink, method, lambda _, each: found.append(each))
    return found


def metrics(sent: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    return [(each.step, dict(each.values)) for each in sent if isinstance(each, MetricValues)]


def test_a_sample_that_the_explainer_cannot_take_is_sent_and_so_is_the_rest(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad sample takes neither the next nor the metrics along."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        steps(model, optimizer, 1, 1)
        first = job.measurement.latest.sample
        sent.clear()
        seen: list[Any] = []

        def receive(_: Explainer, samples: Any, *by: Any) -> None:
            seen.append(samples)
            if len(seen) == 1:
                raise AttributeError("no states")

        monkeypatch.setattr(Explainer, "receive", receive)
        monkeypatch.setattr(
            job.measurement,
            "collect",
            lambda wait: ([Measured(first)] * 2, [MetricValues(1, 0.0, {})]),
        )
        job.delivery.send()
        assert sent[:2] == [first, first]
        assert seen == [[first, first]]
        assert metrics(sent) == [(1, {})]
        assert job.guard.faults == 1


def test_figures_of_gates_are_sent_for_sampled_steps_and_late_ones(sent: list[Any]) -> None:
    """A gate is accounted for in every step, which would be too much to send."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        job = job_of(run)
        steps(model, optimizer, 1, 2)
        sent.clear()
        job.delivery.send_gate_figures({2: {"gate 1 closed": 1.0}}, sampled=False)
        assert sent == []
        figures: dict[int, dict[str, float | None]] = {1: {"gate 1 norm": 2.0}, 2: {"x": 1.0}}
        job.delivery.send_gate_figures(figures, sampled=False)
        assert metrics(sent) == [(1, {"gate 1 norm": 2.0})]
        sent.clear()
        job.delivery.send_gate_figures(figures, sampled=True)
        assert [step for step, _ in metrics(sent)] == [1, 2]


def test_a_log_belongs_to_the_step_under_way(sent: list[Any]) -> None:
    """Between two steps to the one that has ended; after the end of the run to none."""
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False, every=1)
    run.log({"before": 1.0})
    handle = model.register_forward_hook(lambda *_: run.log(during=2.0))
    steps(model, optimizer, 1, 1)
    handle.remove()
    run.log(after=3.0)
    run.flush()
    named = [(step, name) for step, values in metrics(sent) for name in values]
    assert named == [(0, "before"), (1, "during"), (1, "after")]
    run.detach()
    sent.clear()
    run.log(late=4.0)
    run.flush()
    assert metrics(sent) == []


def test_what_cannot_be_logged_is_no_error_of_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault that the guard counts."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False) as run:
        run.log(3)  # type: ignore[arg-type]
        assert job_of(run).guard.faults == 1


def test_a_forked_child_sends_nothing_at_its_end(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent does, once."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False) as run:
        job, closed = job_of(run), []
        monkeypatch.setattr(Uplink, "close", lambda *_, failed: closed.append(failed))
        parent = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        job.delivery.close(failed=False)
        assert closed == []
        monkeypatch.setattr(os, "getpid", lambda: parent)
        job.delivery.close(failed=True)
        assert closed == [True]


FORKING = """
import os, signal, threading
from torch import nn
from torch.optim import SGD
from gradgate import probe
from gradgate.probe.session.run import job_of

model = nn.Linear(1, 1)
run = probe.attach(model, SGD(model.parameters(), lr=0.1), server="http://127.0.0.1:9")
job, held, over = job_of(run), threading.Event(), threading.Event()

def hold():
    with job.uplink.outbox._lock, job.measurement.metrics.handing_on:
        held.set()
        over.wait(60)

thread = threading.Thread(target=hold)
thread.start()
held.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(20)
    {does}
    os._exit(7)
_, status = os.waitpid(child, 0)
over.set()
thread.join()
print("the child ended with", os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(
    "does",
    [
        "[run.log(loss=number) for number in range(200)]",
        "assert run.flush() is False",
        "run.freeze('weight')",
        "run.gate('param:weight')",
        "run.detach()",
    ],
)
def test_a_forked_child_waits_for_no_thread_of_its_parents(does: str) -> None:
    """What one held as the job forked, as a data loader's workers do, nobody lets go of there."""
    ran = run_python("-c", FORKING.format(does=does), timeout=100)
    assert ran.returncode == 0, ran.stderr
    assert "the child ended with 7" in ran.stdout


def test_the_server_hears_of_the_step_that_has_ended() -> None:
    """In heartbeats, and when a connection begins."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False) as run:
        steps(model, optimizer, 1, 3)
        assert job_of(run).uplink.heartbeat()["step"] == 3


def test_logging_without_steps_or_after_the_end_stays_bounded() -> None:
    """Of thousands of logs a few wait, and after a detach none."""
    run = probe.attach(nn.Linear(1, 1), server=False)
    for number in range(10_000):
        run.log(loss=number)
    _, waiting = job_of(run).measurement.collect(wait=True)
    assert 0 < len(waiting) < 100
    run.detach()
    for number in range(1_000):
        run.log(loss=number)
    assert job_of(run).measurement.collect(wait=True) == ([], [])


def test_what_is_logged_is_sent_at_the_end_of_a_step_that_is_not_sampled(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of a second after what was sent last, and not with the next sample, far as it is."""
    model, optimizer = chain(SGD)
    now = 100.0
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        monkeypatch.setattr(job_of(run).delivery, "_clock", lambda: now)
        steps(model, optimizer, 1, 1)
        run.log(loss=1.0)
        sent.clear()
        now += 2 * GATHERING
        steps(model, optimizer, 2, 2)
        assert metrics(sent) == [(1, {"loss": 1.0})]
        for step in (3, 4):
            run.log(loss=float(step))
            steps(model, optimizer, step, step)
        assert metrics(sent) == [(1, {"loss": 1.0})]
        now += 2 * GATHERING
        steps(model, optimizer, 5, 5)
        assert metrics(sent)[1:] == [(2, {"loss": 3.0}), (3, {"loss": 4.0})]


def test_a_sample_is_sent_at_the_end_of_its_step_with_what_was_logged(sent: list[Any]) -> None:
    """However short ago something was sent: what judges it may have to say something."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 6):
            run.log(loss=float(step))
            steps(model, optimizer, step, step)
            assert [each.step for each in sent if isinstance(each, Sample)][-1] == step
        assert [value["loss"] for _, value in metrics(sent)] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_was_logged_before_a_pause_goes_with_a_heartbeat(sent: list[Any]) -> None:
    """Between two boundaries there may be an evaluation of ten minutes; each value is sent once."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        steps(model, optimizer, 1, 2)
        run.log(loss=1.0)
        run.log(loss=2.0)
        job_of(run).uplink.send_logged()
        assert [value["loss"] for _, value in metrics(sent)] == [1.0, 2.0]
    assert len(metrics(sent)) == 2


def test_a_flush_waits_for_what_another_thread_is_about_to_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else all would seem to be stored, and the last of it would come behind the goodbye."""
    model, optimizer = chain(SGD)
    taken, over, sent = threading.Event(), threading.Event(), list[MetricValues]()

    def send(_: Uplink, values: MetricValues) -> None:
        taken.set()
        assert over.wait(20)
        sent.append(values)

    monkeypatch.setattr(Uplink, "send_metrics", send)
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        run.log(loss=1.0)
        other = threading.Thread(target=job_of(run).uplink.send_logged)
        other.start()
        assert taken.wait(20)
        threading.Timer(0.05, over.set).start()
        job_of(run).delivery.flush(0)
        assert len(sent) == 1
        other.join(20)


def test_what_comes_from_a_device_is_known_to_conditions_at_the_next_boundary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gate that closes by a loss must not be a quarter of a second late."""
    monkeypatch.setattr(metrics_module, "_is_on_device", lambda value: isinstance(value, Tensor))
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        for step in range(1, 6):
            run.log(loss=torch.tensor(float(step)))
            steps(model, optimizer, step, step)
            assert job_of(run).measurement.metrics.latest == {"loss": float(step)}


def test_where_much_is_logged_samples_wait_for_the_boundary_all_the_same(sent: list[Any]) -> None:
    """A thread of the script's may log, in the midst of a step, or the handler of a signal."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        measurement = job_of(run).measurement
        steps(model, optimizer, 1, 1)
        measurement.schedule.sampling = True
        measurement.finish_sample(2, frozenset(), skipped=False)
        sent.clear()
        for number in range(3 * MAX_PENDING):
            run.log(loss=number)
        assert len(metrics(sent)) > MAX_PENDING
        assert not any(isinstance(each, Sample) for each in sent)
        job_of(run).delivery.send()
        assert any(isinstance(each, Sample) for each in sent)


def test_what_waits_to_be_judged_is_judged_in_time_in_steps_without_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where something was sent shortly before."""
    model, optimizer = chain(SGD)
    now = 100.0
    with probe.attach(model, optimizer, server=False, every=1000, totals=False) as run:
        delivery = job_of(run).delivery
        monkeypatch.setattr(delivery, "_clock", lambda: now)
        sent: list[float] = []
        monkeypatch.setattr(delivery, "send", lambda *, wait=False: sent.append(now))
        delivery._sent = now
        delivery.judging.due_at = now + GATHERING / 2
        steps(model, optimizer, 1, 1)
        assert sent == []
        now += GATHERING / 2
        steps(model, optimizer, 2, 2)
        assert sent == [now]
