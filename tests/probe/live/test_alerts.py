"""Alerts: broken expectations with their causes, and the failure of a strict job."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from gradgate.probe.base.errors import ExpectationError
from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.diagnosis.explanation import Explanation
from gradgate.probe.live.alerts import NAMED, Alerts
from gradgate.probe.live.expectations import PATIENCE, Expectations
from gradgate.probe.model.table import ParameterTable
from tests.support.samples import sample


class Watched:
    """Expectations of some layers without bias, and their alerts."""

    def __init__(self, layers: int = 2, *, strict: bool = False) -> None:
        guard = Guard()
        model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(layers)))
        table = ParameterTable({"": model})
        self.layers = layers
        self.expectations = Expectations(["*"], table, guard, strict=strict)
        self.sent: list[list[dict[str, Any]]] = []
        self.alerts = Alerts(self.expectations, table, self.sent.append, guard)

    def miss(self, *indexes: int, samples: int = PATIENCE) -> None:
        """Let parameters miss in some samples."""
        states = [State.ABSENT if i in indexes else State.PRESENT for i in range(self.layers)]
        for step in range(samples):
            self.expectations.receive(sample(step, *states), (), [True] * self.layers)


def cause(word: str = "detached") -> Explanation:
    return Explanation(word, None, "It is cut.", "Mend it.")


def test_alerts_are_sent_when_they_change() -> None:
    """When one comes, when it gets its cause, and when it goes."""
    watched = Watched()
    watched.miss(1)
    watched.alerts.update({})
    watched.alerts.update({})
    watched.alerts.update({"1.weight": cause()})
    watched.miss(samples=1)
    watched.alerts.update({"1.weight": cause()})
    told = [
        [(a["name"], a["since_step"], a["cause"], a["detail"]) for a in x] for x in watched.sent
    ]
    assert told == [
        [("1.weight", 0, None, None)],
        [("1.weight", 0, "detached", "It is cut.")],
        [],
    ]
    assert "state" not in watched.sent[0][0]


def test_an_alert_that_cannot_be_made_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are there."""
    monkeypatch.delenv("GRADGATE_STRICT")
    watched = Watched()
    watched.miss(0, 1)
    watched.alerts.update({"0.weight": object()})  # type: ignore[dict-item]
    assert [alert.name for alert in watched.alerts.current] == ["1.weight"]


def test_a_strict_job_fails_once_a_cause_is_known() -> None:
    """The error is raised once, and names the cause."""
    watched = Watched(strict=True)
    watched.miss(0, 1)
    watched.alerts.update({})
    watched.alerts.fail()
    watched.alerts.raise_failure()
    watched.alerts.update({"1.weight": cause()})
    watched.alerts.fail()
    with pytest.raises(ExpectationError, match=r"^1 parameter of .* does not train: It is cut \(d"):
        watched.alerts.raise_failure()
    watched.alerts.raise_failure()


def test_a_strict_job_fails_at_its_end_for_a_single_sample() -> None:
    """No more will come."""
    watched = Watched(strict=True)
    watched.miss(0, samples=1)
    watched.alerts.update({})
    watched.alerts.raise_failure()
    with pytest.raises(ExpectationError, match=r"`0\.weight` is absent since step 0$"):
        watched.alerts.raise_failure(last=True)


def test_a_job_that_is_not_strict_never_fails() -> None:
    """It has its alerts."""
    watched = Watched()
    watched.miss(0)
    watched.alerts.update({"0.weight": cause()})
    watched.alerts.fail()
    watched.alerts.raise_failure(last=True)
    assert len(watched.alerts.current) == 1


def test_an_error_names_some_and_counts_the_rest() -> None:
    """A sentence for each of a thousand parameters would hide the first."""
    watched = Watched(NAMED + 2, strict=True)
    watched.miss(*range(NAMED + 2))
    with pytest.raises(ExpectationError) as raised:
        watched.alerts.raise_failure(last=True)
    assert str(raised.value).startswith(f"{NAMED + 2} parameters ")
    assert str(raised.value).endswith("; and 2 more")
    assert str(raised.value).count("since step") == NAMED
