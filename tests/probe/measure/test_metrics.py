"""What the user gives to log(...)."""

from __future__ import annotations

import enum
import logging
import math
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.metrics import MAX_NAMES, MAX_PENDING, MetricLog, MetricValues
from gradgate.probe.session.run import job_of


def collected(**values: object) -> dict[str, float | None]:
    log = MetricLog(Guard())
    log.add(3, values)
    (metrics,) = log.collect()
    assert metrics.step == 3
    return metrics.values


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.25, 0.25),
        (3, 3.0),
        (True, 1.0),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (torch.tensor([[2]]), 2.0),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (np.float32(1.5), 1.5),
        (torch.tensor(float("-inf")), float("-inf")),
    ],
)
def test_numbers_and_tensors_of_one_element(value: object, number: float) -> None:
    """Anything that is one number is taken."""
    assert collected(loss=value) == {"loss": number}


def test_what_is_not_finite_goes_over_the_wire_in_words() -> None:
    """As null, since JSON has no such number, with what it was beside it; else with nothing."""
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0, "e": None}
    message = MetricValues(3, 1.0, values).as_message(7)
    assert message["values"] == {"a": None, "b": None, "c": None, "d": 1.0, "e": None}
    assert message["nonfinite"] == {"a": "nan", "b": "inf", "c": "-inf"}
    assert "nonfinite" not in MetricValues(3, 1.0, {"d": 1.0}).as_message(8)


@pytest.mark.parametrize(
    "value",
    ["0.5", None, torch.ones(2), torch.tensor(1j), [1.0], torch.tensor(1j, device="meta")],
)
def test_what_is_no_number_is_ignored_with_one_warning(
    value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The other metrics arrive, and the log says once which one was ignored."""
    log = MetricLog(Guard())
    with caplog.at_level(logging.WARNING, "gradgate"):
        for _ in range(3):
            log.add(1, {"bad": value, "good": 1.0})
    assert [metrics.values for metrics in log.collect()] == [{"good": 1.0}] * 3
    assert caplog.text.count("log(bad=...) was given a") == 1


def test_odd_names_are_made_fit_for_the_wire() -> None:
    """A name is never empty, longer than 511 characters, or with a NUL in it."""
    values = collected(**{"": 1.0, "x" * 600: 2.0, "a\0b": 3.0})
    assert list(values) == ["metric", "x" * 511, "ab"]


class Raising:
    """A value that fails when it is read."""

    def __float__(self) -> float:
        raise RuntimeError("no value")


@pytest.mark.parametrize("bad", [Raising(), torch.ones(1, device="meta")])
def test_a_value_that_cannot_be_read_takes_no_other_along(
    bad: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is counted, and the other metrics of the same call and later ones arrive."""
    monkeypatch.delenv("GRADGATE_STRICT")
    guard = Guard()
    log = MetricLog(guard)
    log.add(1, {"before": 1.0, "bad": bad, "behind": 2.0})
    log.add(2, {"later": 3.0})
    arrived = [metrics.values for metrics in log.collect(wait=True)]
    assert arrived == [{"before": 1.0, "behind": 2.0}, {"later": 3.0}]
    assert guard.faults == 1


def test_the_latest_value_goes_by_the_name_that_conditions_use() -> None:
    """A name that a condition cannot write is remembered under one that it can."""
    log = MetricLog(Guard())
    log.add(1, {"train.loss": 1.0, "norm": 5.0})
    log.add(2, {"train.loss": 2.0})
    assert log.latest == {"train_loss": 2.0, "norm_": 5.0}


def test_memory_is_bounded() -> None:
    """No more names are taken than the protocol has, and what waits is to be collected in time."""
    log = MetricLog(Guard())
    log.add(1, {f"m{number}": number for number in range(MAX_NAMES + 5)})
    assert len(log.latest) == len(log.collect()[0].values) == MAX_NAMES
    log.add(2, {"one more": 1})
    assert "one_more" not in log.latest
    for _ in range(MAX_PENDING):
        assert not log.full
        log.add(3, {"m1": 1})
    assert log.full


def test_an_array_among_the_metrics_is_named_and_the_rest_arrives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """log(loss=1, acc=array of two) keeps the loss and is no fault of the probe's."""
    with probe.attach(nn.Linear(1, 1), server=False) as run:
        run.log(loss=1.0, acc=np.array([0.1, 0.2]))
        _, (values,) = job_of(run).measurement.collect()
        assert values.values == {"loss": 1.0}
        assert job_of(run).guard.faults == 0
    assert "log(acc=...) was given a ndarray" in caplog.text


class OnItsWay:
    """Stands for values that are on their way from a device, which may not be asked."""

    def ready(self) -> bool:
        raise AssertionError("it was asked")

    def values(self) -> np.ndarray[Any, Any]:
        return np.array([2.0])


def test_another_thread_takes_what_is_on_the_host_up_to_the_first_that_is_not() -> None:
    """A device may be capturing a graph, and only the thread that trains may ask it then."""
    log = MetricLog(Guard())
    log.add(1, {"loss": 1.0})
    log.add(2, {})
    log._pending[-1].readbacks = [(["loss"], OnItsWay())]  # type: ignore[list-item]
    log.add(3, {"loss": 3.0})
    assert [each.step for each in log.collect(on_host=True)] == [1]
    assert log.collect(on_host=True) == []
    found = log.collect(wait=True)
    assert [(each.step, dict(each.values)) for each in found] == [
        (2, {"loss": 2.0}),
        (3, {"loss": 3.0}),
    ]


def test_what_two_threads_collect_is_all_once() -> None:
    """The heartbeat takes what was logged, while a boundary may do so."""
    log, taken = MetricLog(Guard()), list[int]()
    begun = threading.Event()

    def collect() -> None:
        begun.set()
        while len(taken) < 20_000:
            taken.extend(each.step for each in log.collect(on_host=True))

    other = threading.Thread(target=collect, daemon=True)
    other.start()
    assert begun.wait(20)
    for step in range(20_000):
        log.add(step, {"loss": 1.0})
        if log.full:
            taken.extend(each.step for each in log.collect())
    other.join(60)
    assert sorted(taken) == list(range(20_000))


class Named(str, enum.Enum):  # noqa: UP042 - that one prints as its value
    """A name that is equal to its value and prints as another."""

    LOSS = "loss"


def test_names_that_are_equal_and_print_otherwise_are_two() -> None:
    """Each is what the script would see of it."""
    log = MetricLog(Guard())
    for number, name in enumerate((Named.LOSS, "loss", True, 1) * 2):
        log.add(number, {name: 1.0})  # type: ignore[dict-item]
    assert [[*each.values] for each in log.collect()] == [
        ["Named.LOSS"],
        ["loss"],
        ["True"],
        ["1"],
    ] * 2
