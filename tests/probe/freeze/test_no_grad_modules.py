"""Freezes in mode ``no_grad``: modules without a graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.no_grad_modules import NoGradModules
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, reports_of, run_command, steps, told
from tests.support.zoo import Plain, batch, weights


def test_no_grad_equals_the_same_done_by_hand() -> None:
    """Stem and body without a graph: bitwise the training with both under torch.no_grad()."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 3)
        run.freeze("stem", mode="no_grad")
        run.freeze("body", mode="no_grad")
        steps(model, optimizer, 4, 8)
        assert run.parameters()[0].frozen is not None
        assert run.parameters()[0].frozen.mode == "no_grad"
        assert told(reports, 1) == ["applied", "verified"]
        assert told(reports, 2) == ["applied", "verified"]

    reference, by_hand = chain()
    steps(reference, by_hand, 1, 3)
    for step in range(4, 9):
        by_hand.zero_grad()
        inputs, targets = batch(step)
        with torch.no_grad():
            hidden = reference.body(torch.tanh(reference.stem(inputs)))
        output = reference.head(hidden)
        ((output[:, :3] - targets).square().mean() + 0.01 * output.square().sum()).backward()
        by_hand.step()
    assert weights(model) == weights(reference)
    assert torch.equal(model.body[1].running_mean, reference.body[1].running_mean)


def test_no_grad_builds_no_graph_and_a_thaw_builds_it_again() -> None:
    """What the module returns requires no gradient, until a parameter inside is thawed."""
    model, optimizer = chain()
    seen: list[bool] = []
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad")
        steps(model, optimizer, 1, 1)
        model.stem.register_forward_hook(lambda *args: seen.append(args[2].requires_grad))
        steps(model, optimizer, 2, 2)
        run.thaw("stem.bias")
        steps(model, optimizer, 3, 3)
        modes = {info.name: info.frozen and info.frozen.mode for info in run.parameters()}
    assert seen == [False, True]
    assert modes["stem.weight"] == "grad"
    assert modes["stem.bias"] is None


def test_no_grad_that_would_cut_a_trainable_parameter_is_rejected_by_name() -> None:
    """The stem feeds the body, so the body cannot run without a graph while the stem trains."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 1)
        job_of(run).queue.submit(run_command("freeze", "body", mode="no_grad"))
        steps(model, optimizer, 2, 3)
        assert all(info.frozen is None for info in run.parameters())
    assert [report.state.value for report in reports] == ["delivered", "rejected"]
    assert "'body' cannot run without a graph" in reports[-1].reason
    assert "stem.weight (and 1 more), which would lose theirs" in reports[-1].reason


def test_no_grad_from_python_that_would_cut_stays_a_grad_freeze_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The parameters are frozen at once; the graph stays, and the log names the reason."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("body", mode="no_grad")
        before = weights(model)
        steps(model, optimizer, 1, 2)
        assert {info.frozen.mode for info in run.parameters() if info.frozen} == {"grad"}
        assert weights(model)["body.0.weight"] == before["body.0.weight"]
        assert weights(model)["stem.weight"] != before["stem.weight"]
    assert told(reports, 1) == ["rejected"]
    assert "Its parameters are frozen in mode 'grad'" in caplog.text


def test_no_grad_on_an_input_that_asks_for_its_own_gradient_is_rejected() -> None:
    """A saliency map must not lose its gradient to a freeze."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem", mode="no_grad")
        inputs = batch(1)[0].requires_grad_()
        model(inputs).sum().backward()
        assert inputs.grad is not None
        optimizer.step()
    assert "a tensor that is no parameter" in reports[-1].reason


def test_no_grad_of_a_module_that_did_not_run_is_rejected() -> None:
    """What nobody has seen run cannot be said to cut nothing."""
    torch.manual_seed(0)
    model = Plain()
    model.spare = nn.Linear(3, 3)
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("spare", mode="no_grad")
        steps(model, optimizer, 1, 1)
    assert "'spare' was not seen to run in the step" in reports[-1].reason


def test_no_grad_of_a_parameter_is_refused_at_once() -> None:
    """A single parameter has no forward to run without a graph."""
    model, optimizer = chain()
    with (
        probe.attach(model, optimizer, server=False) as run,
        pytest.raises(probe.CommandError, match="give a module's path such as 'stem'"),
    ):
        run.freeze("stem.weight", mode="no_grad")


def test_the_whole_model_without_a_graph_still_goes_through_backward() -> None:
    """Target * takes the root; the user's own backward and step go on."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*", mode="no_grad")
        before = weights(model)
        steps(model, optimizer, 1, 4)
        assert job_of(run).freezer.no_grad.paths == ("",)
        assert weights(model) == before
        run.thaw("*")
        steps(model, optimizer, 5, 5)
        assert weights(model) != before


def test_no_grad_gives_way_when_something_trainable_feeds_the_module_later() -> None:
    """As a discriminator that is given the generator's samples: no gradient is lost."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem", mode="no_grad")
        steps(model, optimizer, 1, 2)
        inputs = batch(3)[0].requires_grad_()
        model(inputs).sum().backward()
        optimizer.step()
        assert inputs.grad is not None
        assert run.parameters()[0].frozen is not None
        assert run.parameters()[0].frozen.mode == "grad"
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert "stem runs with its graph again" in reports[-1].reason


@pytest.mark.parametrize("mode", ["grad", "no_grad"])
@pytest.mark.parametrize("target", ["st?m", "[s]tem"])
def test_a_glob_over_modules_takes_what_is_below_them(target: str, mode: str) -> None:
    """A pattern that matches no parameter's whole name still names modules."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        assert run.freeze(target, mode=mode) == ("stem.weight", "stem.bias")
        steps(model, optimizer, 1, 1)
        assert job_of(run).freezer.no_grad.paths == (("stem",) if mode == "no_grad" else ())


def test_a_compiled_model_refuses_no_grad() -> None:
    """There mode grad saves the same, and hooks are not called."""
    model, optimizer = chain()
    compiled: Any = torch.compile(model, backend="eager")
    steps(compiled, optimizer, 1, 1)
    with (
        probe.attach(model, optimizer, server=False) as run,
        pytest.raises(probe.CommandError, match="compiled"),
    ):
        run.freeze("stem", mode="no_grad")


def test_no_grad_of_a_glob_leaves_no_module_without_a_graph_after_its_thaw() -> None:
    """The glob also names a Tanh, which has no parameter to thaw."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem")
        run.freeze("body.*", mode="no_grad", hold_stats=True)
        steps(model, optimizer, 1, 2)
        assert set(job_of(run).freezer.no_grad.paths) == {"body.0", "body.1"}
        run.thaw("body.*")
        assert job_of(run).freezer.no_grad.paths == ()


class Adapted(nn.Module):
    """A layer with an adapter beside it."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.adapter = nn.Linear(6, 16, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.adapter(x)  # type: ignore[no-any-return]


def test_an_adapter_inside_a_module_without_a_graph_gets_its_gradient() -> None:
    """From the step after the one that added it, and the command is told to have drifted."""
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Sequential(nn.Linear(6, 16), nn.Tanh()), nn.Linear(16, 3))
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("0", mode="no_grad")
        steps(model, optimizer, 1, 2)
        assert job_of(run).freezer.no_grad.paths == ("0",)
        model[0][0] = Adapted(model[0][0])
        optimizer.add_param_group({"params": model[0][0].adapter.parameters()})
        steps(model, optimizer, 3, 4)
        assert model[0][0].adapter.weight.grad is not None
        assert not model[0][0].base.weight.requires_grad
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert "something trainable is in it" in reports[-1].reason


@pytest.mark.parametrize("asked", ["between", "at the boundary"])
def test_a_thaw_stands_over_a_no_grad_that_still_waits_for_its_trial(asked: str) -> None:
    """The later command wins, also when the earlier one takes effect a step later."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        if asked == "between":
            run.freeze("stem", mode="no_grad")
            run.thaw("stem")
        else:
            job_of(run).queue.submit(run_command("freeze", "stem", mode="no_grad"))
            job_of(run).queue.submit(replace(run_command("thaw", "stem"), id=8))
        steps(model, optimizer, 1, 4)
        assert all(info.frozen is None for info in run.parameters())
        assert job_of(run).freezer.no_grad.paths == ()
    ends = {report.command.kind: report.state.value for report in reports}
    assert ends == {"freeze": "superseded", "thaw": "verified"}


def test_a_partial_thaw_leaves_the_rest_of_a_waiting_no_grad_frozen() -> None:
    """What the later command does not touch is frozen, in mode grad for it is not whole."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad")
        run.thaw("stem.bias")
        steps(model, optimizer, 1, 3)
        modes = {info.name: info.frozen and info.frozen.mode for info in run.parameters()}
    assert modes["stem.weight"] == "grad"
    assert modes["stem.bias"] is None


def test_a_no_grad_freeze_supersedes_a_thaw_that_was_not_verified_yet() -> None:
    """Its parameters are frozen before the mode is taken: by the command, not by the script."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem")
        steps(model, optimizer, 1, 2)
        run.thaw("stem")
        run.freeze("stem", mode="no_grad")
        steps(model, optimizer, 3, 5)
    assert told(reports, 2) == ["applied", "superseded"]
    assert told(reports, 3) == ["applied", "verified"]


def test_a_module_that_is_let_go_has_cut_nothing_off() -> None:
    """What was seen of it is not held against a later freeze."""
    module = nn.Linear(2, 2)
    modules = NoGradModules(lambda tensor: not tensor.requires_grad, Guard())
    modules.set({"a": module})
    module(torch.ones(1, 2, requires_grad=True))
    assert modules.cutting == {"a"}
    modules.set({})
    assert modules.cutting == set()
