"""Freezes that do not hold, and who moved what."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.session.run import job_of
from gradgate.probe.steer import verification
from tests.support.lines import line_of
from tests.support.steered import (
    chain,
    one_step,
    plain,
    reports_of,
    scaled_step,
    steps,
    told,
)
from tests.support.zoo import loss_of


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


def offload(weight: torch.Tensor) -> Callable[[], None]:
    """Give the memory of a weight back; returns what fills it again with what it held."""
    kept, storage = weight.detach().clone(), weight.untyped_storage()
    size = storage.nbytes()
    storage.resize_(0)

    def restore() -> None:
        storage.resize_(size)
        with torch.no_grad():
            weight.copy_(kept)

    return restore


def step_without_head(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Make a step of all that is not in the head."""
    for name, parameter in model.named_parameters():
        parameter.grad = None if name.startswith("head") else torch.zeros_like(parameter)
    optimizer.step()


@pytest.mark.parametrize("moved", [False, True])
def test_a_frozen_weight_without_memory_is_compared_once_it_has_some(moved: bool) -> None:
    """With what it held before; it is not verified by a step in which there was nothing to see."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 1)
        run.freeze("head.weight")
        steps(model, optimizer, 2, 2)
        for restore_at in (3, 5):
            restore = offload(model.head.weight)
            step_without_head(model, optimizer)
            restore()
            if moved and restore_at == 5:
                model.head.weight.data.add_(1)
            steps(model, optimizer, restore_at, restore_at)
    assert told(reports, 1) == ["applied", "verified", *(["drifted"] if moved else [])]


def test_a_freeze_of_a_weight_without_memory_is_verified_once_it_has_some() -> None:
    """Until then nobody can say that it was not moved."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 1)
        restore = offload(model.head.weight)
        run.freeze("head.weight")
        for _ in range(3):
            step_without_head(model, optimizer)
        assert told(reports, 1) == ["applied"]
        restore()
        steps(model, optimizer, 5, 6)
    assert told(reports, 1) == ["applied", "verified"]
    assert reports[-1].detail.startswith("1 of 1 bitwise unchanged")


def test_what_had_no_memory_is_not_counted_as_unchanged() -> None:
    """The proof says of how many the bits were compared."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        steps(model, optimizer, 1, 1)
        restore = offload(model.head.weight)
        run.freeze("head")
        step_without_head(model, optimizer)
        restore()
    assert told(reports, 1) == ["applied", "verified"]
    assert reports[-1].detail == (
        "1 of 2 bitwise unchanged after step 2; the memory of the rest was given back, and no bit "
        "of it can be compared"
    )


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


def test_who_wrote_the_same_bits_is_not_blamed_for_what_came_later() -> None:
    """Each write is another's."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        steps(model, optimizer, 1, 1)
        model.load_state_dict(copy.deepcopy(model.state_dict()))
        steps(model, optimizer, 2, 2)
        with torch.no_grad():
            model.head.weight.add_(1)
        steps(model, optimizer, 3, 3)
    assert told(reports, 1) == ["applied", "verified", "drifted"]
    assert reports[-1].reason.endswith("moved by the script's own code")


def test_a_check_that_fails_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether it holds; its neighbours are verified, and later so is it."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("stem")
        run.freeze("head")
        good = verification.checksums

        def broken(parameters: Sequence[Tensor]) -> Any:
            if parameters[0] is model.stem.weight:
                raise AttributeError("no sums")
            return good(parameters)

        with monkeypatch.context() as patch:
            patch.setattr(verification, "checksums", broken)
            steps(model, optimizer, 1, 2)
        assert told(reports, 2) == ["applied", "verified"]
        assert told(reports, 1) == ["applied", "applied"]
        failed = [report for report in reports if report.command.local == 1][-1]
        assert failed.detail.startswith("could not be checked after step 1: gradgate failed")
        steps(model, optimizer, 3, 3)
        assert told(reports, 1) == ["applied", "applied", "verified"]


def test_what_is_frozen_is_summed_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checksums are taken when it is frozen and 1, 2, 4, 8, … steps later."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        good, taken = verification.checksums, []

        def counted(parameters: Sequence[Tensor]) -> Any:
            taken.append(job_of(run).state.step)
            return good(parameters)

        monkeypatch.setattr(verification, "checksums", counted)
        run.freeze("head")
        steps(model, optimizer, 1, 20)
    assert taken == [0, 1, 2, 4, 8, 16]


def test_a_thaw_is_watched_until_it_was_trained() -> None:
    """Then nobody minds that the script freezes by itself; before, it is a drift."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        run.thaw("head")
        steps(model, optimizer, 1, 1)
        model.head.requires_grad_(False)
        steps(model, optimizer, 2, 5)
        assert told(reports, 2) == ["applied", "verified"]
        assert reports[-1].detail == "2 of 2 had a gradient in step 1"
        run.thaw("head")
        model.head.requires_grad_(False)
        steps(model, optimizer, 6, 6)
    assert told(reports, 3) == ["applied", "drifted"]
    assert reports[-1].reason.endswith("was frozen again by the script")


def test_a_command_that_says_the_same_anew_leaves_the_proof_under_way() -> None:
    """A thaw forestalls the proof of a freeze that it undoes whole, and only then."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        run.freeze("head")
        run.thaw("head.bias")
        steps(model, optimizer, 1, 1)
        assert [told(reports, n)[-1] for n in (1, 2, 3)] == ["verified"] * 3
        assert [report.parameters for report in reports if report.command.local == 1] == [
            [6, 7],
            [6],
        ]


def test_a_freeze_is_not_verified_by_a_step_that_was_skipped() -> None:
    """Only a step that the optimizer applied proves that a parameter stays."""
    model, optimizer = plain()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        scaled_step(model, optimizer, scaler, 1.0)
        optimizer.zero_grad()
        reports = reports_of(run)
        run.freeze("head")
        scaled_step(model, optimizer, scaler, torch.inf)
        optimizer.zero_grad()
        assert [report.state.value for report in reports] == ["applied"]
        scaled_step(model, optimizer, scaler, 1.0)
        assert [report.state.value for report in reports] == ["applied", "verified"]


def test_a_permuted_frozen_parameter_is_not_verified() -> None:
    """A script that flips a frozen weight's rows is found out."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("head")
        with torch.no_grad():
            model.head.weight.copy_(model.head.weight.flip(0))
        one_step(model, optimizer)
        assert reports[-1].reason.startswith("head.weight was frozen and has changed by step 1")


def test_a_freeze_found_undone_at_its_verification_says_so() -> None:
    """requires_grad set back by the script before the next step: applied, and not verified."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1, script_wins=True) as run:
        reports = reports_of(run)
        run.freeze("head.bias")
        model.head.bias.requires_grad_(True)  # <- undone
        optimizer.step()
        where = line_of(__file__, "undone")
        assert reports[-1].state.value == "superseded"
        assert reports[-1].reason == (
            f"head.bias was made trainable again by the script at {where}, whose word stands"
        )


def test_what_the_script_leaves_frozen_is_watched_on() -> None:
    """It has ended the freeze of one of two; the other drifts as any that is moved."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1, script_wins=True) as run:
        reports = reports_of(run)
        run.freeze("head")
        model.head.bias.requires_grad_(True)
        one_step(model, optimizer)
        told = [(report.state.value, report.parameters) for report in reports]
        head = [index for index, info in enumerate(run.parameters()) if "head" in info.name]
        assert told == [("applied", head), ("applied", head[:1]), ("verified", head[:1])]
        assert "head.bias was made trainable again" in (reports[1].detail or "")
        with torch.no_grad():
            model.head.weight += 1
        one_step(model, optimizer)
        assert reports[-1].state.value == "drifted"
        assert (reports[-1].reason or "").startswith("head.weight was frozen and has changed")


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("when", ["before the step", "after the step"])
def test_a_thaw_of_what_the_script_itself_moves_had_no_gradient(when: str, held: bool) -> None:
    """As a momentum encoder, whether the optimizer holds it or not."""
    model = nn.ModuleDict({"fast": nn.Linear(2, 2), "slow": nn.Linear(2, 2)})
    optimizer = SGD((model if held else model["fast"]).parameters(), lr=0.1)

    def average() -> None:
        with torch.no_grad():
            for slow, fast in zip(*(model[k].parameters() for k in ("slow", "fast")), strict=True):
                slow.lerp_(fast, 0.5)

    def step() -> None:
        optimizer.zero_grad()
        model["fast"](torch.ones(2)).sum().backward()
        if when == "before the step":
            average()
        optimizer.step()
        if when == "after the step":
            average()

    with probe.attach(model, optimizer, server=False, every=100) as run:
        reports = reports_of(run)
        step()
        step()
        run.thaw("*")
        step()
        step()
    (detail,) = [report.detail for report in reports if report.state.value == "verified"]
    assert detail.startswith("2 of 4 had a gradient in step 3")


def test_a_thaw_of_what_is_stepped_inside_the_backward_had_a_gradient() -> None:
    """Though the gradient is gone when the backward is over, in a step that is not sampled too."""
    model = nn.Linear(2, 2)
    optimizers = [SGD([parameter], lr=0.1) for parameter in model.parameters()]
    for parameter, optimizer in zip(model.parameters(), optimizers, strict=True):

        def apply(_: Tensor, optimizer: SGD = optimizer) -> None:
            optimizer.step()
            optimizer.zero_grad()

        parameter.register_post_accumulate_grad_hook(apply)
    with probe.attach(model, optimizers, server=False, every=100) as run:
        reports = reports_of(run)
        for step in range(6):
            if step == 3:
                run.thaw("*")
            model(torch.ones(2)).sum().backward()
    (detail,) = [report.detail for report in reports if report.state.value == "verified"]
    assert detail.startswith("2 of 2 had a gradient in step 4")
