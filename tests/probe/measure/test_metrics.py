"""What the user gives to log(...)."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from gradgate.probe.measure.metrics import MetricLog


def collected(**values: object) -> dict[str, float | None]:
    log = MetricLog()
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
        (float("nan"), None),
        (torch.tensor(float("inf")), None),
    ],
)
def test_numbers_and_tensors_of_one_element(value: object, number: float | None) -> None:
    """Anything that is one number is taken; what is not finite is None."""
    assert collected(loss=value) == {"loss": number}


@pytest.mark.parametrize("value", ["0.5", None, torch.ones(2), torch.tensor(1j), [1.0]])
def test_what_is_no_number_is_ignored_with_one_warning(
    value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The other metrics arrive, and the log says once which one was ignored."""
    log = MetricLog()
    with caplog.at_level(logging.WARNING, "gradgate"):
        for _ in range(3):
            log.add(1, {"bad": value, "good": 1.0})
    assert [metrics.values for metrics in log.collect()] == [{"good": 1.0}] * 3
    assert caplog.text.count("log(bad=...) was given a") == 1


def test_odd_names_are_made_fit_for_the_wire() -> None:
    """A name is never empty, longer than 512 characters, or with a NUL in it."""
    values = collected(**{"": 1.0, "x" * 600: 2.0, "a\0b": 3.0})
    assert list(values) == ["metric", "x" * 512, "ab"]
