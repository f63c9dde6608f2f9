"""The commands that a script gives by the methods of its run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.session.run import job_of
from gradgate.server.live.ingest import decode_frame
from gradgate.server.protocol.probe_messages import Report
from tests.support.steered import chain, one_step, plain, reports_of, steps


def test_commands_are_numbered_in_the_order_given() -> None:
    """Those that are refused have a number too, and those of a checkpoint go on from there."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        with pytest.raises(probe.TargetError, match="did you mean"):
            run.freeze("haed")
        run.gate("param:stem.bias")
        run.load_state_dict(run.state_dict())
        run.ungate(1)
    applied = [r for r in reports if r.state.value == "applied"]
    assert [(r.command.local, r.command.kind, r.command.by) for r in applied] == [
        (1, "freeze", "python"),
        (3, "gate", "python"),
        (4, "freeze", "python"),
        (5, "gate", "python"),
        (6, "ungate", "python"),
    ]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda run: run.freeze("head"), "cannot freeze 'head': this run was detached."),
        (lambda run: run.thaw("head"), "cannot thaw 'head': this run was detached."),
        (lambda run: run.gate("param:a"), "cannot gate 'param:a': this run was detached."),
        (lambda run: run.ungate(3), "cannot ungate 'gate 3': this run was detached."),
        (lambda run: run.explain(), r"cannot explain '\*': this run was detached."),
    ],
)
def test_a_run_that_was_detached_takes_no_command(
    call: Callable[[probe.Run], Any], sentence: str
) -> None:
    """Each says so, by its own name."""
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False)
    run.detach()
    with pytest.raises(probe.CommandError, match=sentence):
        call(run)


def test_in_the_middle_of_a_step_commands_wait_for_its_end() -> None:
    """They are delivered, and applied with that step; what cannot be done is refused at once."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)

        def give(*_: Any) -> None:
            handle.remove()
            assert run.freeze("head") == ("head.weight", "head.bias")
            assert run.gate("param:stem.bias") == 1
            run.explain("body")
            with pytest.raises(probe.TargetError, match="did you mean"):
                run.thaw("haed")
            assert {report.state.value for report in reports} == {"delivered"}
            assert run.gates() == []

        handle = model.register_forward_hook(give)
        steps(model, optimizer, 1, 1)
        applied = [r.command.kind for r in reports if r.state.value == "applied"]
        assert applied == ["gate", "freeze"]
        assert job_of(run).explainer.tracing
        assert run.gates()[0].id == 1


def test_an_explain_between_two_steps_traces_the_next() -> None:
    """It is delivered and answered by that step, whether its turn to be sampled has come or not."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 1)
        run.explain("head")
        assert job_of(run).measurement.schedule.sampling
        steps(model, optimizer, 2, 2)
        assert [(r.state.value, r.step) for r in reports] == [("delivered", None), ("applied", 2)]
        with pytest.raises(probe.TargetError, match="did you mean"):
            run.explain("haed")


def test_a_gate_that_is_refused_takes_no_number() -> None:
    """The next one has it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        with pytest.raises(probe.CommandError, match="hold=-1"):
            run.gate("param:stem.bias", hold=-1)
        assert run.gate("param:stem.bias") == 1
        with pytest.raises(probe.CommandError, match="this run has no gate 4; it has 1"):
            run.ungate(4)
        run.ungate(1)
        assert run.gates() == []


def test_a_command_meets_parameters_as_the_script_left_them() -> None:
    """What a gate keeps from being trained in a step is trainable when a freeze looks at it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.gate("param:head.bias")
        steps(model, optimizer, 1, 1)
        run.freeze("head.bias")
        run.thaw("head.bias")
        run.ungate(1)
        assert model.head.bias.requires_grad
        steps(model, optimizer, 2, 2)
    assert [r.state.value for r in reports if r.command.local == 3][-1] == "verified"


def test_a_command_from_another_thread_waits_for_the_boundary() -> None:
    """Only the training thread applies at once; a REPL or a callback thread waits for a step."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        thread = threading.Thread(target=run.freeze, args=("head",))
        thread.start()
        thread.join()
        assert model.head.weight.requires_grad
        one_step(model, optimizer)
        assert not model.head.weight.requires_grad


@pytest.mark.parametrize("target", ["*" * 600, "[!\0]*", None, 5])
@pytest.mark.parametrize("name", ["freeze", "thaw", "explain"])
def test_a_target_that_no_server_takes_is_refused(name: str, target: Any) -> None:
    """Before anything is done: a server would refuse all of the run for its report."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        with pytest.raises(probe.TargetError, match="target"):
            getattr(run, name)(target)
        with pytest.raises(probe.CommandError, match="no NUL"):
            run.gate("site:a\0")
        assert all(info.frozen is None for info in run.parameters())


def test_numbers_of_other_libraries_are_told_as_json_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of NumPy, of tensors and of people who write 1 for True; a server takes each."""
    monkeypatch.setattr(Uplink, "_is_told", True)
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", hold_stats=1)  # type: ignore[arg-type]
        run.thaw("head", reset_state=np.True_)  # type: ignore[arg-type]
        run.gate("param:stem.bias", action="scale", factor=np.float32(0.5), hold=np.int64(3))
        run.gate("param:stem.bias", action="clip", max_norm=torch.tensor(2))  # type: ignore[arg-type]
        run.ungate(np.int32(2))  # type: ignore[arg-type]
        steps(model, optimizer, 1, 2)
        (gate,) = run.gates()
        assert (gate.factor, gate.hold) == (0.5, 3)
        frames = [decode_frame(each.frame) for each in job_of(run).uplink.outbox.take()]
    reports = [each for each in frames if isinstance(each, Report)]
    assert {each.state for each in reports} >= {"applied", "verified"}
    assert all(each.local is not None for each in reports)
