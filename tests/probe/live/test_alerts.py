"""Alerts: broken expectations with their causes, and the failure of a strict job."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from gradgate.probe.base.errors import ExpectationError
from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.diagnosis.explanation import Explanation
from gradgate.probe.link.frames import encode_json
from gradgate.probe.live.alerts import LISTED, NAMED, Alert, Alerts
from gradgate.probe.live.expectations import PATIENCE, Expectations
from gradgate.probe.model.table import ParameterTable
from gradgate.server.protocol.alerts import Alert as ToldAlert
from tests.support.samples import sample


class Watched:
    """Expectations of some layers without bias, and their alerts."""

    def __init__(self, layers: int = 2, *, strict: bool = False) -> None:
        guard = Guard()
        model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(layers)))
        table = ParameterTable({"": model})
        self.layers = layers
        self.expectations = Expectations(["*"], table, guard)
        self.sent: list[list[dict[str, Any]]] = []
        self.alerts = Alerts(self.sent.append, guard, strict=strict)
        self.alerts.add_source(self.expectations)

    def miss(self, *indexes: int, samples: int = PATIENCE) -> None:
        """Let parameters miss in some samples."""
        states = [State.ABSENT if i in indexes else State.PRESENT for i in range(self.layers)]
        for step in range(samples):
            self.expectations.receive(sample(step, *states), (), lambda _: False)


class Telling:
    """A source that tells what it is given."""

    def __init__(self, *alerts: Alert) -> None:
        self.alerts = alerts

    def find(self, *, last: bool) -> list[Alert]:
        return list(self.alerts)


def of_run(**changes: Any) -> Alert:
    """An alert of the whole run."""
    told = {"since_step": 1, "cause": "no_step", "detail": "It never steps.", **changes}
    return Alert(None, None, **told)


def cause(word: str = "detached") -> Explanation:
    return Explanation(word, None, "It is cut.", "Mend it.")


def test_alerts_are_sent_when_they_change() -> None:
    """When one comes, when it gets its cause, and when it goes."""
    watched = Watched()
    watched.miss(1)
    watched.alerts.update()
    watched.alerts.update()
    watched.alerts.explain({"1.weight": cause()}, PATIENCE)
    watched.miss(samples=1)
    watched.alerts.update()
    told = [
        [(a["name"], a["since_step"], a["cause"], a["detail"]) for a in x] for x in watched.sent
    ]
    assert told == [
        [("1.weight", 0, None, None)],
        [("1.weight", 0, "detached", "It is cut.")],
        [],
    ]
    assert "state" not in watched.sent[0][0]


def test_a_source_that_fails_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are there."""
    monkeypatch.delenv("GRADGATE_STRICT")
    watched = Watched()
    watched.miss(0, 1)
    watched.alerts.add_source(object())  # type: ignore[arg-type]
    watched.alerts.add_source(Telling(of_run()))
    watched.alerts.update()
    told = [alert.name for alert in watched.alerts.current]
    assert told == [None, "0.weight", "1.weight"]


def test_those_of_the_whole_run_come_first_and_notes_last() -> None:
    """Of many a server keeps the first, and notes are not to take the place of alerts."""
    watched = Watched()
    note, late = of_run(level="note"), of_run(since_step=5)
    watched.alerts.add_source(Telling(note))
    watched.alerts.add_source(Telling(late))
    watched.miss(0)
    watched.alerts.update()
    assert [alert.name for alert in watched.alerts.of_level("alert")] == [None, "0.weight"]
    assert watched.alerts.of_level("note") == [note]
    assert watched.alerts.current == [late, watched.alerts.current[1], note]


def test_an_explanation_of_an_earlier_step_explains_no_later_loss() -> None:
    """What it says may have been mended, and another cause come since."""
    watched = Watched()
    watched.alerts.explain({"1.weight": cause()}, 3)
    for step in range(4, 4 + PATIENCE):
        states = sample(step, State.PRESENT, State.ABSENT)
        watched.expectations.receive(states, (), lambda _: False)
    watched.alerts.update()
    assert [alert.cause for alert in watched.alerts.current] == [None]
    watched.alerts.explain({"1.weight": cause("no_grad")}, 4)
    assert [alert.cause for alert in watched.alerts.current] == ["no_grad"]


def test_a_strict_job_fails_at_once_for_what_has_its_cause() -> None:
    """It is no parameter's, and no trace will tell more; a note is no reason."""
    watched = Watched(strict=True)
    watched.alerts.add_source(Telling(of_run(level="note")))
    watched.alerts.update()
    watched.alerts.raise_failure(last=True)
    watched.alerts.add_source(Telling(of_run()))
    watched.alerts.update()
    with pytest.raises(ExpectationError, match=r"there is 1 alert: It never steps \(no_step\)$"):
        watched.alerts.raise_failure()


def test_a_strict_job_fails_once_a_cause_is_known() -> None:
    """The error is raised once, and names the cause."""
    watched = Watched(strict=True)
    watched.miss(0, 1)
    watched.alerts.update()
    watched.alerts.raise_failure()
    watched.alerts.explain({"1.weight": cause()}, PATIENCE)
    with pytest.raises(ExpectationError, match=r"there is 1 alert: It is cut \(d"):
        watched.alerts.raise_failure()
    watched.alerts.raise_failure()


def test_a_strict_job_fails_at_its_end_for_a_single_sample() -> None:
    """No more will come."""
    watched = Watched(strict=True)
    watched.miss(0, samples=1)
    watched.alerts.update()
    watched.alerts.raise_failure()
    with pytest.raises(ExpectationError, match=r"`0\.weight` is absent since step 0$"):
        watched.alerts.raise_failure(last=True)


def test_a_job_that_is_not_strict_never_fails() -> None:
    """It has its alerts."""
    watched = Watched()
    watched.miss(0)
    watched.alerts.explain({"0.weight": cause()}, PATIENCE)
    watched.alerts.raise_failure(last=True)
    assert len(watched.alerts.current) == 1


def test_an_error_says_once_what_holds_for_many() -> None:
    """A sentence for each of a thousand parameters would hide the first; some are listed."""
    watched = Watched(LISTED + 3, strict=True)
    watched.miss(*range(LISTED + 3))
    with pytest.raises(ExpectationError) as raised:
        watched.alerts.raise_failure(last=True)
    said = str(raised.value)
    assert said.startswith(f"The run is strict, and there are {LISTED + 3} alerts: `0.weight` is ")
    assert said.count("since step") == 1
    assert "since step 0, and the same holds for `1.weight`, `2.weight`, " in said
    assert said.endswith(f"`{LISTED}.weight` and 2 more")


def test_an_error_keeps_apart_what_differs() -> None:
    """By cause, or by another part of the sentence than the parameter's own name."""

    class Told:
        def find(self, *, last: bool) -> list[Alert]:
            return [
                Alert(0, "a", 1, cause="nonfinite", detail="Since `a` was NaN `a` gets it."),
                Alert(1, "b", 1, cause="nonfinite", detail="Since `a` was NaN `b` gets it."),
                Alert(2, "c", 1, cause="nonfinite", detail="Since `b` was NaN `c` gets it."),
                Alert(3, "d", 1, cause="detached", detail="Since `a` was NaN `d` gets it."),
                Alert(None, None, 1, cause="no_step", detail="No step."),
            ]

    alerts = Alerts(lambda _: None, Guard(), strict=True)
    alerts.add_source(Told())
    alerts.update()
    with pytest.raises(ExpectationError) as raised:
        alerts.raise_failure()
    assert str(raised.value).partition("alerts: ")[2] == (
        "No step (no_step); "
        "Since `a` was NaN `a` gets it (nonfinite), and the same holds for `b`; "
        "Since `b` was NaN `c` gets it (nonfinite); "
        "Since `a` was NaN `d` gets it (detached)"
    )


def test_an_error_has_a_few_sentences_and_counts_the_rest() -> None:
    """Of a whole model's faults the first are enough."""

    class Told:
        def find(self, *, last: bool) -> list[Alert]:
            numbers = range(NAMED + 2)
            return [Alert(n, f"p{n}", n, cause="a", detail=f"{n} of `p{n}`.") for n in numbers]

    alerts = Alerts(lambda _: None, Guard(), strict=True)
    alerts.add_source(Told())
    alerts.update()
    with pytest.raises(ExpectationError, match=r"4 of `p4` \(a\); and 2 more$"):
        alerts.raise_failure()


@pytest.mark.parametrize("text", ["a\0b", "word " * 5000])
def test_a_server_takes_an_alert_of_anything(text: str) -> None:
    """However long the names and the words are that it quotes, and what is in them."""
    told = Alert(0, text, 1, cause="unknown", detail=text).as_message()
    assert ToldAlert.model_validate_json(encode_json(told)).since_step == 1
