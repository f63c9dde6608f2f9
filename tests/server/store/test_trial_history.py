"""A gate tried before it is made: the job is given what is recorded, and its answer comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gradgate.server.protocol import limits
from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import Hello, Metrics
from gradgate.server.protocol.trials import TrialRequest
from gradgate.server.store.database import Store
from gradgate.server.store.metrics.values import append_metrics, read_metric_before
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from gradgate.server.store.trial_history import recorded_history
from tests.support.probing import (
    ABSENT,
    FROZEN,
    GATED,
    NONFINITE,
    PRESENT,
    STALE,
    ZERO,
    FakeProbe,
    gate,
    hello,
    pack_sample,
    table_row,
)
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

WITHIN = 20
NAN = math.nan
Ask = Callable[..., Future[httpx.Response]]


@pytest.fixture
def ask(shared_server: ServerProcess, run: str) -> Iterator[Ask]:
    """Asks for trials of a condition at `param:a.weight` of the run, unless told otherwise."""
    with ThreadPoolExecutor(20) as threads:

        def asked(when: str, **changes: object) -> Future[httpx.Response]:
            body = {"site": "param:a.weight", "when": when, **changes}
            return threads.submit(shared_server.post, f"/api/runs/{run}/trial", body)

        yield asked


def history_of(probe: FakeProbe, ask: Ask, when: str, **changes: object) -> Any:
    """The history that the job is given to play a condition on."""
    answer = ask(when, **changes)
    question = probe.until_question()
    probe.answer_trial(question)
    assert answer.result(WITHIN).status_code == 200
    return question["history"]


def log(probe: FakeProbe, seq: int, step: int, **values: float | None) -> None:
    """Log metrics; `__` in a name stands for a slash."""
    named = {name.replace("__", "/"): value for name, value in values.items()}
    probe.send({"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": named})


def test_the_job_answers(shared_server: ServerProcess, run: str, ask: Ask) -> None:
    """It is asked for the gate, and what it says comes back whole; nothing is made."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = ask("norm > 2", action="clip", max_norm=3, hold=4)
        question = probe.until_question()
        assert {**question, "request": 0} == {
            "type": "trial",
            "request": 0,
            "site": "param:a.weight",
            "when": "norm > 2",
            "action": "clip",
            "factor": None,
            "max_norm": 3,
            "hold": 4,
            "history": None,
        }
        sent = probe.answer_trial(question)
        assert answer.result(WITHIN).json() == sent
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_condition_that_is_none_is_the_jobs_to_say(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """With the place of the fault, in an answer like any other."""
    fault = {"message": "`>>` is no operator of conditions", "column": 5}
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = ask("norm >> 2")
        sent = probe.answer_trial(probe.until_question(), error=fault, closed=None, samples=0)
        assert answer.result(WITHIN).status_code == 200
        assert answer.result().json() == sent


def test_the_norms_of_a_parameter_are_those_recorded(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """Null where no backward wrote a gradient; infinite and undefined norms stay what they are."""
    states = [PRESENT, ZERO, NONFINITE, NONFINITE, ABSENT, STALE, FROZEN, GATED, PRESENT]
    norms = [1.5, 0.0, math.inf, NAN, NAN, 7.0, NAN, NAN, 2.5]
    with FakeProbe(shared_server, hello(run)) as probe:
        for place, (state, norm) in enumerate(zip(states, norms, strict=True)):
            seq = place + 1
            probe.sample(seq, [norm, 9.0], [state, PRESENT], step=10 * seq)
        probe.until_acked(len(states))
        found = history_of(probe, ask, "norm > 2")
        latest = history_of(probe, ask, "norm > 2", samples=2)
    assert found["steps"] == [10 * seq for seq in range(1, 10)]
    assert list(found["values"]) == ["norm"]
    norm = found["values"]["norm"]
    assert norm[:3] == [1.5, 0.0, math.inf]
    assert math.isnan(norm[3])
    assert norm[4:] == [None, None, None, None, 2.5]
    assert latest == {"steps": [80, 90], "values": {"norm": [None, 2.5]}}


def test_a_condition_has_the_movement_of_the_latest_look_before_each_step(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """As the job had it then; null before the first, and at the site of no parameter none."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for step, ratio in enumerate([NAN, 0.5, NAN, 0.25], 1):
            probe.sample(step, [1], update_ratio=[ratio])
        probe.until_acked(4)
        history = history_of(probe, ask, "update_ratio > 0.3")
        assert history["values"]["update_ratio"] == [None, None, 0.5, 0.5]
        other = history_of(probe, ask, "update_ratio > 0.3", site="output:a")
        assert "update_ratio" not in other["values"]


def test_many_spans_are_cut_at_the_latest(shared_server: ServerProcess, run: str, ask: Ask) -> None:
    """However the samples came to be stored, the latest are given, in order."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq in range(1, 61):
            probe.sample(seq, [float(seq), 0.0])
            if seq % 7 == 0:
                probe.until_acked(seq)
        probe.until_acked(60)
        found = history_of(probe, ask, "norm > 2", samples=25)
    assert found["steps"] == list(range(36, 61))
    assert found["values"]["norm"] == [float(step) for step in range(36, 61)]


def test_metrics_have_their_value_at_or_before_each_step(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """Under the words of the condition; those that it does not mention are left out."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq, step in enumerate((2, 4, 6, 8), 1):
            probe.sample(seq, [1.0, 1.0], step=step)
        log(probe, 5, 3, val__loss=0.5, accuracy=0.1, lr=1.0)
        log(probe, 6, 4, val__loss=0.4, loss=2.0)
        log(probe, 7, 4, val__loss=0.3)
        log(probe, 8, 7, val__loss=None, norm=99.0)
        log(probe, 9, 9, val__loss=0.1)
        probe.until_acked(9)
        found = history_of(probe, ask, "val_loss > 0.2 and lr < 3 and norm or step + unheard_of")
    assert found == {
        "steps": [2, 4, 6, 8],
        "values": {
            "norm": [1.0] * 4,
            "val_loss": [None, 0.3, 0.3, None],
            "lr": [None, 1.0, 1.0, 1.0],
        },
    }


def test_metrics_of_one_word_are_one(shared_server: ServerProcess, run: str, ask: Ask) -> None:
    """As for the job, the latest value counts, whichever of the names it was logged under."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq, step in enumerate((1, 2, 3), 1):
            probe.sample(seq, [1.0, 1.0], step=step)
        log(probe, 4, 1, val__loss=0.5)
        log(probe, 5, 2, val_loss=0.4)
        log(probe, 6, 3, val__loss=0.3)
        probe.until_acked(6)
        found = history_of(probe, ask, "val_loss < 1")
    assert found["values"]["val_loss"] == [0.5, 0.4, 0.3]


def test_metrics_that_are_no_words_by_themselves_are_found(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """A name that starts with a digit, and one that the language has itself."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(
            {"type": "metrics", "seq": 1, "step": 1, "time": 1, "values": {"2nd": 5, "max": 6}}
        )
        probe.sample(2, [1.0, 2.0], step=1)
        probe.until_acked(2)
        history = history_of(probe, ask, "_2nd > 2 and max_ > 2", site="output:a")
    assert history["values"] == {"_2nd": [5.0], "max_": [6.0]}


def test_another_site_has_norms_where_a_gate_logged_them(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """Of the oldest gate that is there, at the very steps; without one there are none."""
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq, step in enumerate((1, 2, 3), 1):
            probe.sample(seq, [1.0, 1.0], step=step)
        probe.gates(4, gate(2, site="input:a"), gate(5, site="output:a"), gate(6, site="output:a"))
        log(probe, 5, 1, **{"gate 5 norm": 1.0, "gate 6 norm": 0.5, "gate 2 norm": 7.0})
        log(probe, 6, 3, **{"gate 5 norm": 3.0, "gate 5 closed": 1.0})
        probe.until_acked(6)
        found = history_of(probe, ask, "norm > 2", site="output:a")
        none = history_of(probe, ask, "norm > 2", site="output:b")
    assert found == {"steps": [1, 2, 3], "values": {"norm": [1.0, None, 3.0]}}
    assert none == {"steps": [1, 2, 3], "values": {}}


def test_a_tied_name_is_the_same_parameter(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """And a name that no parameter has gets no norms: that it is none is the job's to say."""
    rows = [table_row("a.weight"), {**table_row("b.weight"), "names": ["b.weight", "c.weight"]}]
    with FakeProbe(shared_server, hello(run, parameters=rows)) as probe:
        probe.sample(1, [1.0, 2.0])
        probe.until_acked(1)
        tied = history_of(probe, ask, "norm > 2", site="param:c.weight")
        unknown = history_of(probe, ask, "norm > 2", site="param:d.weight")
    assert tied["values"] == {"norm": [2.0]}
    assert unknown["values"] == {}


def test_a_history_is_bounded(shared_server: ServerProcess, run: str, ask: Ask) -> None:
    """Ever so many metrics make it shorter, and it keeps the latest."""
    count = 199
    with FakeProbe(shared_server, hello(run)) as probe:
        for seq in range(1, 601):
            probe.sample(seq, [1.0, 1.0])
        log(probe, 601, 1, **{f"m{number}": 1.0 for number in range(count)})
        probe.until_acked(601)
        when = "+".join(f"m{number}" for number in range(count))
        found = history_of(probe, ask, when)
    assert len(found["values"]) == count + 1
    assert found["steps"] == list(range(101, 601))


@pytest.mark.parametrize(("rows", "first"), [(100, 0), (8, 0), (6, 2), (2, 6), (1, 7)])
def test_a_metric_that_is_logged_too_often_is_read_in_part(
    tmp_path: Path, rows: int, first: int
) -> None:
    """The latest values are read, and it is said from which step on they are all there."""
    steps = np.arange(10, 90, 10)
    store = Store(tmp_path)
    with store.write() as connection:
        logged = [
            Metrics(type="metrics", seq=place, step=10 * place + 5, time=1.0, values={"m": place})
            for place in range(1, 8)
        ]
        append_metrics(connection, "a" * 16, logged)
    with store.read() as connection:
        values, reached = read_metric_before(connection, "a" * 16, ["m"], steps, rows)
    store.close()
    assert reached == first
    assert values[first:] == [None, 1, 2, 3, 4, 5, 6, 7][first:]


def test_a_history_begins_where_all_of_it_is_read(
    tmp_path: Path, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric that was not read back to the first samples takes these from the others too."""
    monkeypatch.setattr(limits, "TRIAL_ROWS", 10)
    store = Store(tmp_path)
    samples = [decode(pack_sample(step, step, [1, 1], {1: [step, 0]})) for step in range(1, 21)]
    logged = [
        Metrics(type="metrics", seq=seq, step=seq, time=1.0, values={"lr": 1.0, "loss": seq})
        for seq in range(1, 21)
    ]
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 0.0)
        append_samples(connection, run, 0, samples)
        append_metrics(connection, run, logged)
    asked = TrialRequest(site="param:a.weight", when="loss > lr * norm")
    with store.read() as connection:
        found = recorded_history(connection, run, asked)
    store.close()
    assert found is not None
    assert found.steps == [16, 17, 18, 19, 20]
    assert found.values == {"norm": found.steps, "loss": found.steps, "lr": [1.0] * 5}


def test_norms_of_a_job_that_went_back_are_known(tmp_path: Path, run: str) -> None:
    """Those of every sample, though the last step is not the highest."""
    store = Store(tmp_path)
    went = [10, 11, 12, 5, 6]
    samples = [
        decode(pack_sample(seq, step, [1, 1], {1: [step, 0]})) for seq, step in enumerate(went, 1)
    ]
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 0.0)
        append_samples(connection, run, 0, samples)
    asked = TrialRequest(site="param:a.weight", when="norm > 2")
    with store.read() as connection:
        found = recorded_history(connection, run, asked)
    store.close()
    assert found is not None
    assert found.steps == found.values["norm"] == went


def test_without_a_job_there_is_no_trial(shared_server: ServerProcess, run: str, ask: Ask) -> None:
    """Unknown is a 404, lost and finished are 409s, and a job that goes meanwhile is a 503."""
    path = f"/api/runs/{run}"
    assert ask("True").result(WITHIN).status_code == 404
    with FakeProbe(shared_server, hello(run)) as probe:
        gone = ask("True")
        probe.until_question()
    assert gone.result(WITHIN).status_code == 503
    wait_for(lambda: shared_server.get(path)["status"] == "lost", 10, "the run is lost")
    assert ask("True").result(WITHIN).status_code == 409
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.bye()
        wait_for(lambda: shared_server.get(path)["status"] == "finished")
        finished = ask("True").result(WITHIN)
    assert (finished.status_code, "has ended" in finished.text) == (409, True)


def test_a_silent_job_is_a_504_and_an_answer_of_another_kind_is_none(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """Within about five seconds; a preview is no answer to a trial."""
    with FakeProbe(shared_server, hello(run)) as probe:
        silent, mistaken = ask("True"), ask("True")
        probe.until_question()
        question = probe.until_question()
        probe.send({"type": "preview", "request": question["request"], "refused": "no"})
        assert {each.result(WITHIN).status_code for each in (silent, mistaken)} == {504}
        assert "did not answer within 5 seconds" in silent.result().json()["detail"]
        assert history_of(probe, ask, "True") is None


def test_trials_and_previews_wait_together(
    shared_server: ServerProcess, run: str, ask: Ask
) -> None:
    """A job is not asked without end."""
    with FakeProbe(shared_server, hello(run)) as probe:
        waiting = [ask("True") for _ in range(16)]
        questions = [probe.until_question() for _ in waiting]
        assert ask("True").result(WITHIN).status_code == 429
        query = {"kind": "freeze", "target": "a"}
        assert shared_server.page(f"/api/runs/{run}/preview", params=query).status_code == 429
        for question in questions:
            probe.answer_trial(question)
        assert {answer.result(WITHIN).status_code for answer in waiting} == {200}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"site": "a.weight"}, "'a.weight' is no site"),
        ({"action": "scale"}, "wants `factor`"),
        ({"samples": 0}, "greater than or equal to 1"),
        ({"samples": 10_001}, "less than or equal to 10000"),
        ({"when": "x" * 1001}, "at most 1000 characters"),
        ({"paused": True}, "Extra inputs"),
    ],
)
def test_a_wrong_trial_is_a_422(
    shared_server: ServerProcess, run: str, ask: Ask, change: dict[str, object], sentence: str
) -> None:
    """What no gate could be is not asked of the job."""
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = ask(**{"when": "True", **change}).result(WITHIN)  # type: ignore[arg-type]
        assert answer.status_code == 422
        assert sentence in answer.json()["detail"][0]["msg"]
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        assert probe.questions == []
