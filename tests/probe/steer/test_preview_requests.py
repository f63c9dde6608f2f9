"""Previews in Python and for the dashboard."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from gradgate import probe
from gradgate.probe.model.selection import Selection
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.session.run import job_of
from gradgate.probe.steer.observation import Observing
from tests.support.steered import chain, hook_counts, run_command, steps


def ask(run: Any, target: str, **options: Any) -> list[Any]:
    """Ask as the link's thread does; what is answered arrives in the list."""
    answers: list[Any] = []
    command = run_command("freeze", target, **options)
    job_of(run).previews.ask(command, lambda *answer: answers.append(answer), 100.0)
    return answers


def test_a_preview_of_no_grad_waits_for_a_forward_and_names_what_it_cuts() -> None:
    """Nothing is changed by asking, and the answer comes with the next boundary but one."""
    model, optimizer = chain()
    model.spare = nn.Linear(2, 2)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        hooks = hook_counts(model)
        answers = ask(run, "body", mode="no_grad")
        free = ask(run, "stem", mode="no_grad")
        unused = ask(run, "spare", mode="no_grad")
        steps(model, optimizer, 1, 1)
        assert not answers
        steps(model, optimizer, 2, 2)
        assert answers[0][0].cut_off == ["stem.weight", "stem.bias"]
        assert free[0][0].cut_off == []
        assert "'spare' was not seen to run" in unused[0][1]
        assert hook_counts(model) == hooks
        assert all(info.frozen is None for info in run.parameters())


def test_a_preview_in_python_says_what_a_command_would_touch() -> None:
    """The same figures as the dashboard's, without a server; and the same refusals."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 1)
        seen = run.preview("freeze", "body")
        assert seen.count == 4
        assert seen.gradient_bytes == 4 * (16 * 16 + 3 * 16)
        assert seen.running_stats == ["body.1"]
        assert run.preview("freeze", "body", mode="no_grad").cut_off is None
        with pytest.raises(probe.TargetError, match="did you mean 'body'"):
            run.preview("freeze", "bdoy")
        assert ask(run, "bdoy")[0][1].startswith("'bdoy' matches no parameter")


def test_a_question_that_fails_is_answered_by_its_fault_and_the_others_by_previews(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once, while it begins to be observed, and at the boundary that answers it."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        fault = "gradgate failed inside (AttributeError: no name); see the job's log"

        def failing(good: Any, index: int) -> Any:
            def call(table: Any, found: int) -> str:
                if found == index:
                    raise AttributeError("no name")
                return str(good(table, found))

            return call

        body = job_of(run).table.index_of_name("body.0.weight")
        good = ParameterTable.name
        answers = ask(run, "body", mode="no_grad")
        others = ask(run, "stem", mode="no_grad")
        steps(model, optimizer, 1, 1)
        monkeypatch.setattr(ParameterTable, "name", failing(good, body))
        steps(model, optimizer, 2, 2)
        assert answers == [(None, fault)]
        assert others[0][0].cut_off == []
        assert ask(run, "body") == [(None, fault)]
        monkeypatch.setattr(ParameterTable, "name", good)

        begin, calls = Observing.begin, iter(range(9))

        def broken(observing: Observing, selection: Selection) -> Any:
            if next(calls) == 0:
                raise AttributeError("no name")
            return begin(observing, selection)

        monkeypatch.setattr(Observing, "begin", broken)
        first, second = (ask(run, "stem", mode="no_grad") for _ in range(2))
        steps(model, optimizer, 3, 4)
        assert first == [(None, fault)]
        assert second[0][0].cut_off == []


def test_a_job_that_hardly_moves_is_not_waited_for() -> None:
    """The answer comes at once, and says that more is known after a forward."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for speed in (None, 0.5):
            answers: list[Any] = []
            command = run_command("freeze", "stem", mode="no_grad")
            job_of(run).previews.ask(command, lambda *answer: answers.append(answer), speed)  # noqa: B023
            assert answers[0][0].cut_off is None
            assert answers[0][0].warnings[0].startswith("What flows into this module is known")


def test_a_preview_is_of_a_freeze_or_a_thaw() -> None:
    """Of other kinds there is none, and of an unknown kind the sentence says what to do."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        with pytest.raises(probe.CommandError, match="would touch, and no explain"):
            run.preview("explain", "stem")
        with pytest.raises(probe.CommandError, match="does not know commands of kind 'melt'"):
            run.preview("melt", "stem")
        assert run.preview("thaw", "stem").already == 2


def test_after_the_stop_nobody_is_answered() -> None:
    """A detach leaves no hook behind, and nothing raises."""
    model, optimizer = chain()
    hooks = hook_counts(model)
    run = probe.attach(model, optimizer, server=False, every=1)
    answers = ask(run, "stem", mode="no_grad")
    steps(model, optimizer, 1, 1)
    run.detach()
    assert hook_counts(model) == hooks
    assert answers == []
