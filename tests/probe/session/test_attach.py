"""The arguments of attach, and what a broken one is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe import AttachError, CommandError
from gradgate.probe.base.guard import Guard
from gradgate.probe.session import wiring
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, hook_counts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": [nn.Linear(1, 1)]}, r"model is a list; attach\(\) wants a torch.nn.Module"),
        ({"model": {"g": 3}}, r"model\['g'\] is a int"),
        ({"optimizer": "adam"}, "optimizer is a str; .* or None"),
        ({"optimizer": [None]}, "optimizer is a NoneType"),
        ({"every": 0}, "whole number of steps from 1 up"),
        ({"every": 2.5}, "whole number of steps from 1 up"),
        ({"name": 7}, "name=7: give a text, or None"),
        ({"group": ["a"]}, r"group=\['a'\]: give a text, or None"),
        ({"budget": 0}, "a share of the step time above 0"),
        ({"server": "127.0.0.1:8765"}, "give one such as 'http://127.0.0.1:8765'"),
    ],
)
def test_a_wrong_argument_is_told_what_is_wanted(arguments: dict[str, Any], message: str) -> None:
    """Each wrong argument raises at once, with a sentence that says what to give."""
    given = {"model": nn.Linear(1, 1), "optimizer": None, "server": False, **arguments}
    model, optimizer = given.pop("model"), given.pop("optimizer")
    with pytest.raises((TypeError, ValueError), match=message):
        probe.attach(model, optimizer, **given)


def test_a_model_without_parameters_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to watch, which is said, and the job goes on."""
    with (
        caplog.at_level(logging.WARNING, "gradgate"),
        probe.attach(nn.ReLU(), server=False, every=1) as run,
    ):
        run.step()
        assert run.parameters() == []
    assert "the model has no parameters" in caplog.text


def test_a_model_on_the_meta_device_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is measured, which is said; the job goes on, also with what comes later."""
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    with (
        caplog.at_level(logging.WARNING, "gradgate"),
        probe.attach(model, server=False, every=1) as run,
    ):
        assert "4 of the model's 4 parameters are on the meta device" in caplog.text
        run.gate("output:0", when="norm > 1e9")

        def step(device: str) -> None:
            model(torch.ones(3, 2, device=device)).sum().backward()
            run.step()
            model.zero_grad()

        for _ in range(3):
            step("meta")
        assert {each.state for each in run.parameters()} == {"unmeasured"}
        assert "on the meta device a gradient has none" in (run.gates()[0].problem or "")
        with pytest.raises(CommandError, match="is on the meta device, where it has no values"):
            run.freeze("0")
        model.to_empty(device="cpu")
        for layer in model:
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        assert len(run.parameters()) == 8, "a look at the models finds those that came"
        step("cpu")
        states = {each.name: each.state for each in run.parameters() if not each.removed}
        assert states == {
            "0.weight": "present",
            "0.bias": "present",
            "1.weight": "present",
            "1.bias": "present",
        }
        assert job_of(run).guard.faults == 0


def test_the_server_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """$GRADGATE_SERVER is the default, and a wrong one is told like an argument."""
    monkeypatch.setenv("GRADGATE_SERVER", "ftp://somewhere")
    with pytest.raises(ValueError, match="'ftp://somewhere' is no address"):
        probe.attach(nn.Linear(1, 1))


def test_name_and_group_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who starts many processes names them; what the script says is stronger."""
    monkeypatch.setenv("GRADGATE_NAME", "lr=0.1")
    monkeypatch.setenv("GRADGATE_GROUP", "g" * 600)

    def told(**named: str) -> tuple[str, str]:
        with probe.attach(nn.Linear(1, 1), server=False, **named) as run:
            hello = job_of(run).uplink.hello()
        assert hello["name"] == run.name
        return hello["name"], hello["group"]

    assert told() == ("lr=0.1", "g" * 512)
    assert told(name="digits", group="search") == ("digits", "search")


def test_the_guard_keeps_faults_out_and_counts_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault inside a hook is logged once with its traceback, counted, and not raised."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a fault of the probe's own")

        monkeypatch.setattr(job_of(run).measurement.sampler, "measure", broken)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(1, 2)).sum().backward()
            before = model.weight.detach().clone()
            optimizer.step()
            assert not torch.equal(before, model.weight)
    assert job_of(run).guard.faults >= 3
    assert caplog.text.count("Traceback") == 1
    assert "training goes on" in caplog.text


def test_the_guard_lets_an_interrupt_through() -> None:
    """Ctrl-C inside a hook is the user's, not a fault."""
    with pytest.raises(KeyboardInterrupt), Guard():
        raise KeyboardInterrupt


class Wrapped(torch.optim.Optimizer):
    """An optimizer around another, as Accelerate makes it: its own ``__init__`` never ran."""

    def __init__(self, optimizer: object) -> None:
        self.optimizer = optimizer

    def step(self, closure: Any = None) -> Any:
        """Make a step of the optimizer inside."""
        return self.optimizer.step(closure)  # type: ignore[attr-defined]


def test_a_wrapped_optimizer_is_seen_through_and_an_empty_wrapper_is_told() -> None:
    """The steps are those of the innermost."""
    model = nn.Linear(2, 1)
    inner = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapped = Wrapped(Wrapped(inner))
    with probe.attach(model, wrapped, server=False, every=1) as run:
        model(torch.ones(1, 2)).sum().backward()
        wrapped.step()
        assert job_of(run).state.step == 1
    with pytest.raises(probe.AttachError, match=r"that never called Optimizer\.__init__"):
        probe.attach(model, Wrapped(None), server=False)


@pytest.mark.filterwarnings("ignore:.*(deprecated|not supported in Python 3.14).*")
def test_a_model_of_torchscript_is_refused() -> None:
    """It takes no hooks; nothing is left of the try."""
    scripted = torch.jit.script(nn.Linear(2, 2))
    with pytest.raises(probe.AttachError, match=r"model\['d'\] is TorchScript.*before torch\.jit"):
        probe.attach({"g": nn.Linear(2, 2), "d": scripted}, server=False)


@pytest.mark.parametrize("watched", [0, 1, 2])
@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_a_second_run_on_the_same_model_is_refused(watched: int, asked: int) -> None:
    """Or on a part of it, on one around it, or on one that shares a parameter; until a detach."""
    inner = nn.Linear(2, 2)
    middle = nn.Sequential(inner, nn.ReLU())
    tied = nn.Linear(2, 2)
    tied.weight = inner.weight
    models = [inner, middle, nn.Sequential(middle), tied]
    run = probe.attach(models[watched], server=False)
    hooks = hook_counts(models[2])
    with pytest.raises(probe.AttachError, match=r"is watched by another run already.*detach\(\)"):
        probe.attach({"m": models[asked]}, server=False)
    assert hook_counts(models[2]) == hooks
    probe.attach(nn.Linear(2, 2), server=False).detach()
    run.detach()
    probe.attach(models[asked], server=False).detach()
    assert not any(map(any, hook_counts(models[2])))


@pytest.mark.parametrize(
    "part", ["Measurement", "NoSteps", "Boundaries", "ModelHooks", "ScriptCommands", "Checkpoint"]
)
@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, KeyboardInterrupt])
def test_where_attach_fails_nothing_is_attached(
    monkeypatch: pytest.MonkeyPatch, part: str, kind: type[BaseException]
) -> None:
    """All is as it was, a sentence says so, and the next attach finds nothing in its way."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    before = hook_counts(model)

    def fail(*_: object, **__: object) -> None:
        raise kind("injected")

    told: tuple[type[BaseException], str] = AttachError, "nothing is attached, and nothing was"
    if kind is KeyboardInterrupt:
        told = kind, "injected"
    with monkeypatch.context() as patched:
        patched.setattr(wiring, part, fail)
        with pytest.raises(told[0], match=told[1]):
            probe.attach(model, optimizer, server=False)
    assert hook_counts(model) == before
    assert "zero_grad" not in vars(optimizer)
    probe.attach(model, optimizer, server=False).detach()
