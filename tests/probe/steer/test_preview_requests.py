"""Previews in Python and for the dashboard."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from gradgate import probe
from gradgate.probe.session.run import job_of
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
