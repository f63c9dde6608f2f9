"""Modes, held statistics, reset state, drift and checkpoints."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer

from gradgate import probe

from .zoo import Plain, batch, loss_of, weights


class Chain(nn.Module):
    """A stem, a body with a normalisation, and a head, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 16)
        self.body = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Tanh())
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(torch.tanh(self.stem(x))))  # type: ignore[no-any-return]


def chain(make: Callable[..., Optimizer] = AdamW) -> tuple[Chain, Optimizer]:
    torch.manual_seed(0)
    model = Chain()
    return model, make(model.parameters(), lr=0.05)


def steps(model: nn.Module, optimizer: Optimizer, first: int, last: int) -> None:
    for step in range(first, last + 1):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()


def reports_of(run: Any) -> list[Any]:
    reports: list[Any] = []
    run._job.steering._report = reports.append
    return reports


def told(reports: list[Any], local: int) -> list[str]:
    return [report.state.value for report in reports if report.command.local == local]


# no_grad


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
        run._job.steering.submit(run_command("freeze", "body", mode="no_grad"))
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
        assert run._job.freezer.graphless == ("",)
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
        assert run._job.freezer.graphless == (("stem",) if mode == "no_grad" else ())


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
        assert set(run._job.freezer.graphless) == {"body.0", "body.1"}
        run.thaw("body.*")
        assert run._job.freezer.graphless == ()


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
        assert run._job.freezer.graphless == ("0",)
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
            run._job.steering.submit(run_command("freeze", "stem", mode="no_grad"))
            run._job.steering.submit(replace(run_command("thaw", "stem"), id=8))
        steps(model, optimizer, 1, 4)
        assert all(info.frozen is None for info in run.parameters())
        assert run._job.freezer.graphless == ()
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


# hold_stats


@pytest.mark.parametrize("target", ["body", "body.*", "body.1", "body.1.weight"])
def test_held_statistics_stand_still_whatever_train_says(target: str) -> None:
    """Buffers are bitwise unchanged and the output is that of eval mode, until the thaw."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 1)
        run.freeze(target, hold_stats=True)
        before = copy.deepcopy(dict(model.named_buffers()))
        for step in range(2, 5):
            model.train()
            steps(model, optimizer, step, step)
        assert all(torch.equal(before[name], value) for name, value in model.named_buffers())
        assert model.body[1].training
        run.thaw(target)
        steps(model, optimizer, 5, 5)
        assert not torch.equal(before["body.1.running_mean"], model.body[1].running_mean)


def test_held_statistics_equal_eval_by_hand() -> None:
    """The rest trains bitwise as with a BatchNorm put in eval mode by hand."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 4)

    reference, by_hand = chain()
    reference.body.requires_grad_(False)
    reference.body[1].eval()
    steps(reference, by_hand, 1, 4)
    assert weights(model) == weights(reference)


def test_an_interrupted_forward_gives_training_back() -> None:
    """Ctrl-C inside a held module leaves it in train mode, as the script had it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("body", hold_stats=True)
        handle = model.body[1].register_forward_pre_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(batch(1)[0])
        handle.remove()
    assert model.body[1].training


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# reset_state


@pytest.mark.parametrize("make", [AdamW, Adam, Adagrad])
def test_a_thaw_with_reset_state_starts_as_a_new_optimizer(make: Any) -> None:
    """After the reset the parameter moves as under an optimizer that has never seen it."""
    model, optimizer = chain(make)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 3)
        run.freeze("head")
        steps(model, optimizer, 4, 5)
        run.thaw("head", reset_state=True)
        fresh = copy.deepcopy(model)
        steps(model, optimizer, 6, 6)
    new = make(fresh.parameters(), lr=0.05)
    steps(fresh, new, 6, 6)
    assert torch.equal(model.head.weight, fresh.head.weight)
    assert not torch.equal(model.stem.weight, fresh.stem.weight)


def test_a_thaw_keeps_the_state_by_default() -> None:
    """The moments of before the freeze are there after the thaw."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 3)
        before = optimizer.state[model.head.weight]["exp_avg"].clone()
        run.freeze("head")
        steps(model, optimizer, 4, 5)
        run.thaw("head")
        assert torch.equal(optimizer.state[model.head.weight]["exp_avg"], before)


class Eager(SGD):
    """A stranger's optimizer that makes its state when it is built."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["needed"] = torch.zeros(1)


def test_a_strangers_state_is_not_dropped() -> None:
    """An optimizer that may need the state it made when it was built keeps it."""
    model, optimizer = chain(Eager)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("head")
        with pytest.raises(probe.CommandError, match="Eager may have made its state"):
            run.thaw("head", reset_state=True)


@pytest.mark.parametrize(
    ("kind", "options"), [("thaw", {"hold_stats": True}), ("freeze", {"reset_state": True})]
)
def test_options_of_the_other_kind_are_refused(kind: str, options: dict[str, bool]) -> None:
    """A thaw holds nothing, and a freeze resets nothing."""
    with pytest.raises(probe.CommandError, match="belongs to a"):
        run_command(kind, "head", **options).check()


# drift


def test_drift_names_the_optimizer_that_moved_it() -> None:
    """A second optimizer that the script gave a gradient of its own."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head.bias")
        steps(model, optimizer, 1, 1)
        optimizer.register_step_post_hook(lambda *_: None)
        optimizer.zero_grad()
        loss_of(model, 2).backward()
        moving = optimizer.register_step_pre_hook(lambda *_: give_gradient(model.head.bias))
        optimizer.step()
        moving.remove()
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert reports[-1].reason.endswith("moved by SGD.step()")


def give_gradient(parameter: Tensor) -> None:
    parameter.grad = torch.ones_like(parameter)


def test_drift_names_load_state_dict() -> None:
    """Weights that are loaded over a frozen parameter are named as that."""
    model, optimizer = chain()
    other = {name: value + 1 for name, value in model.state_dict().items()}
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        steps(model, optimizer, 1, 3)
        model.load_state_dict(other)
        steps(model, optimizer, 4, 4)
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert reports[-1].reason.endswith("moved by load_state_dict()")


def test_drift_through_data_is_found_by_the_next_checksum() -> None:
    """PyTorch counts no write through .data, and the checksums still find it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        steps(model, optimizer, 1, 2)
        model.head.bias.data.add_(1)
        steps(model, optimizer, 3, 4)
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert "through .data" in reports[-1].reason


def test_loading_the_same_weights_is_no_drift() -> None:
    """A write that changes no bit leaves a freeze verified."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        steps(model, optimizer, 1, 1)
        model.load_state_dict(copy.deepcopy(model.state_dict()))
        steps(model, optimizer, 2, 9)
    assert told(reports, 1) == ["applied", "verified"]


# a scaler


@pytest.mark.parametrize("clear", ["optimizer", "model"])
def test_a_scaler_steps_an_optimizer_whose_parameters_are_all_frozen(clear: str) -> None:
    """GradScaler.step finds what it looks for, and nothing moves."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*")
        before = weights(model)
        for step in range(1, 4):
            optimizer.zero_grad() if clear == "optimizer" else model.zero_grad()
            scaler.scale(loss_of(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
        assert weights(model) == before
        assert not optimizer.state
        assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("made", ["before", "after"])
def test_a_scaler_goes_on_whoever_froze_the_smallest_and_whenever_it_was_made(made: str) -> None:
    """The script froze one bias, a command the rest; the scaler may come after the freeze."""
    model, optimizer = chain()
    model.head.bias.requires_grad_(False)
    scaler = torch.amp.GradScaler("cpu") if made == "before" else None
    with probe.attach(model, optimizer, server=False) as run:
        for name in [info.name for info in run.parameters() if info.name != "head.bias"]:
            run.freeze(name)
        before = weights(model)
        scaler = scaler or torch.amp.GradScaler("cpu")
        for step in range(1, 4):
            optimizer.zero_grad()
            scaler.scale(loss_of(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
        assert weights(model) == before


def test_a_thaw_takes_the_scalers_zeros_away() -> None:
    """A parameter that then gets no gradient is not moved by its momentum."""
    model, optimizer = chain()
    scaler = torch.amp.GradScaler("cpu")
    with probe.attach(model, optimizer, server=False) as run:
        steps(model, optimizer, 1, 2)
        run.freeze("*")
        optimizer.zero_grad()
        assert any(parameter.grad is not None for parameter in model.parameters())
        run.thaw("*")
        assert all(parameter.grad is None for parameter in model.parameters())
    assert scaler.is_enabled()


# checkpoints


def test_a_resumed_job_has_its_freezes_back() -> None:
    """Through torch.save and a new process's objects: same modes, same held modules."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad", hold_stats=True)
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 2)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "gradgate": run.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    model, optimizer = chain()
    model.load_state_dict(saved["model"])
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head.bias")
        reports = reports_of(run)
        run.load_state_dict(saved["gradgate"])
        frozen = {info.name: info.frozen and info.frozen.mode for info in run.parameters()}
        assert frozen == {
            "stem.weight": "no_grad",
            "stem.bias": "no_grad",
            "body.0.weight": "grad",
            "body.0.bias": "grad",
            "body.1.weight": "grad",
            "body.1.bias": "grad",
            "head.weight": None,
            "head.bias": None,
        }
        before = weights(model), model.body[1].running_mean.clone()
        steps(model, optimizer, 3, 5)
        assert torch.equal(model.body[1].running_mean, before[1])
        assert {n for n, bits in weights(model).items() if bits != before[0][n]} == {
            "head.weight",
            "head.bias",
        }
        assert run.state_dict() == saved["gradgate"]
        assert {report.state.value for report in reports} == {
            "applied",
            "verified",
            "superseded",
        }


def test_a_checkpoint_lets_statistics_run_that_it_does_not_hold() -> None:
    """With nothing frozen in it, or frozen without holding the statistics."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        nothing = run.state_dict()
        run.freeze("body")
        running = run.state_dict()
        for state in (nothing, running):
            run.freeze("body", hold_stats=True)
            assert run._job.freezer.held == ("body.1",)
            run.load_state_dict(state)
            assert run._job.freezer.held == ()
            assert run.state_dict() == state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "no state of a Gradgate run"),
        (
            {
                "version": 1,
                "freezes": [{"parameters": ["haed.bias"], "mode": "grad", "hold_stats": False}],
                "graphless": [],
                "held": [],
            },
            "'haed.bias', which this model does not have; the nearest is 'head.bias'",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state: Any, message: str) -> None:
    """A wrong file or another model's state is refused with what is wrong about it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        with pytest.raises(probe.GradgateError, match=message):
            run.load_state_dict(state)
        assert [info.name for info in run.parameters() if info.frozen] == [
            "stem.weight",
            "stem.bias",
        ]


# the end


def test_detach_undoes_every_mechanism() -> None:
    """No hook, no held module, no flag is left."""
    model, optimizer = chain()
    hooks = hook_counts(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("stem", mode="no_grad")
        run.freeze("body", hold_stats=True)
        steps(model, optimizer, 1, 3)
    assert hook_counts(model) == hooks
    assert all(parameter.requires_grad for parameter in model.parameters())


def hook_counts(model: nn.Module) -> list[tuple[int, int, int]]:
    return [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._load_state_dict_post_hooks))
        for m in model.modules()
    ]


def run_command(kind: str, target: str, **options: Any) -> Any:
    from gradgate.probe.commands import Command

    return Command(kind, target, by="browser", id=7, **options)


# savings


def test_a_freeze_reports_what_it_saved_and_a_thaw_what_it_costs() -> None:
    """Backward's seconds before and after, from the job's own steps, with the gradients' bytes."""
    model, optimizer = deep()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        inputs = torch.randn(64, 256)
        train_on(model, optimizer, inputs, 10)
        run.freeze("0.*")
        train_on(model, optimizer, inputs, 15)
        run.thaw("0.*")
        train_on(model, optimizer, inputs, 15)
    saved = [report for report in reports if report.saved is not None]
    assert [report.state.value for report in saved] == ["verified", "verified"]
    frozen, thawed = (report.saved for report in saved)
    numbers = sum(parameter.numel() for parameter in model[0].parameters())
    assert frozen["gradient_bytes"] == 4 * numbers == -thawed["gradient_bytes"]
    assert frozen["backward_after"] < 0.6 * frozen["backward_before"]
    assert thawed["backward_before"] < 0.6 * thawed["backward_after"]
    assert frozen["steps"] == 10


def deep() -> tuple[nn.Sequential, Optimizer]:
    """Ten layers below, one above."""
    torch.manual_seed(0)
    below = nn.Sequential(*(nn.Linear(256, 256) for _ in range(10)))
    model = nn.Sequential(below, nn.Linear(256, 3))
    return model, SGD(model.parameters(), lr=1e-4)


def train_on(model: nn.Module, optimizer: Optimizer, inputs: Tensor, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()


def test_a_no_grad_freeze_in_python_reports_the_gradients_that_it_freed() -> None:
    """Its parameters are frozen a step before the mode is taken, and that counts."""
    model, optimizer = deep()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        inputs = torch.randn(64, 256)
        train_on(model, optimizer, inputs, 10)
        run.freeze("0", mode="no_grad")
        train_on(model, optimizer, inputs, 20)
    (saved,) = [report.saved for report in reports if report.saved is not None]
    assert saved["gradient_bytes"] == 4 * sum(p.numel() for p in model[0].parameters())


def test_a_thaw_with_optimizers_inside_the_backward_says_what_was_trained() -> None:
    """Their gradients are gone at the boundary; that they were written tells of them."""
    model, _ = chain()
    optimizers = {parameter: SGD([parameter], lr=0.1) for parameter in model.parameters()}

    def step(parameter: Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    with probe.attach(model, list(optimizers.values()), server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem")
        for number in range(1, 4):
            loss_of(model, number).backward()
        run.thaw("stem")
        for number in range(4, 7):
            loss_of(model, number).backward()
    assert reports[-1].state.value == "verified"
    assert reports[-1].detail.startswith("2 of 2 had a gradient")


def test_an_optimizer_per_parameter_looks_at_its_own_parameter_only() -> None:
    """All frozen ones at each of their steps would be quadratic."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        read: list[int] = []

        class Counting(list[nn.Parameter]):
            def __getitem__(self, index: Any) -> Any:
                read.append(index)
                return super().__getitem__(index)

        freezer = run._job.freezer
        freezer._table.parameters = Counting(freezer._table.parameters)
        model.stem.weight.grad = torch.ones_like(model.stem.weight)
        freezer.clear_gradients([0])
        assert read == [0]
        assert model.stem.weight.grad is None


# previews


def ask(run: Any, target: str, **options: Any) -> list[Any]:
    """Ask as the link's thread does; what is answered arrives in the list."""
    answers: list[Any] = []
    command = run_command("freeze", target, **options)
    run._job.previews.ask(command, lambda *answer: answers.append(answer), 100.0)
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


# a model that changes


def test_a_frozen_parameter_that_is_replaced_has_drifted_by_that() -> None:
    """A new head is another tensor, and nobody froze that one; the old one is given back."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head.bias")
        steps(model, optimizer, 1, 2)
        old = model.head
        model.head = nn.Linear(16, 3)
        steps(model, optimizer, 3, 4)
        assert not old.bias.requires_grad
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert "another tensor, and not frozen" in reports[-1].reason
    assert old.bias.requires_grad


def test_an_adapter_can_be_frozen_as_soon_as_it_is_added() -> None:
    """A freeze in Python sees what the line before has added."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        model.adapter = nn.Linear(2, 2)
        assert run.freeze("adapter") == ("adapter.weight", "adapter.bias")
        assert not model.adapter.weight.requires_grad


# compiled models


def test_many_different_freezes_of_a_compiled_model_never_end_in_eager_mode() -> None:
    """More freezes than the recompilation limit: each is compiled, and holds."""
    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(12)))
    optimizer = SGD(model.parameters(), lr=0.01)
    compiled: Any = torch.compile(model, backend=counter)
    assert torch._dynamo.config.recompile_limit < 12
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train_on(compiled, optimizer, torch.randn(8, 4), 1)
        for index in range(12):
            run.freeze(f"{index}.bias")
            compiled_before = counter.frame_count
            frozen = model[index].bias.clone()
            train_on(compiled, optimizer, torch.randn(8, 4), 2)
            assert counter.frame_count == compiled_before + 1
            assert torch.equal(model[index].bias, frozen)
    torch.compiler.reset()
