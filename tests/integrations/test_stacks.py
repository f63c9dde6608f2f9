"""Every stack, watched, frozen, gated and resumed, bit for bit as without Gradgate or by hand."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from gradgate.probe import Run
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

from .stacks import STACKS
from .stacks.stack import Stack

STEPS, SAVE_AT = 12, 6
FREEZE_AT, THAW_AT = 3, 9
ALONE = {"server": False, "every": 1}
"""The options of a run without a server, of which each step is sampled."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in STACKS.values()],
)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack in turn."""
    module = import_module(f"{__package__}.stacks.{request.param}")
    found: Stack = module.STACK
    return found


@pytest.fixture(scope="module")
def plain(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The stack trained without Gradgate."""
    folder = tmp_path_factory.mktemp("plain")
    return stack.train(STEPS, lambda *_: False, None, folder=folder).bits()


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Name what is not the same in both, byte for byte."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def test_watching_changes_nothing(stack: Stack, plain: dict[str, bytes], tmp_path: Path) -> None:
    """With Gradgate attached every weight, buffer and optimizer state is that of a run without."""
    steps = []

    def after_step(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        states = {parameter.state for parameter in run.parameters()}
        assert states <= {"present", "frozen", "zero"}
        steps.append(step)
        return False

    watched = stack.train(STEPS, after_step, ALONE, folder=tmp_path)
    assert steps == list(range(1, STEPS + 1))
    assert differences(watched.bits(), plain) == []
    assert not any(parameter._backward_hooks for parameter in watched.model.parameters())


def test_freeze_and_thaw_equal_the_same_by_hand(
    stack: Stack, plain: dict[str, bytes], tmp_path: Path
) -> None:
    """A freeze and a thaw by command are to the bit what ``requires_grad_`` by hand is."""

    def command(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == FREEZE_AT:
            run.freeze(stack.frozen)
        elif step == THAW_AT:
            run.thaw(stack.frozen)
        return False

    def by_hand(step: int, model: nn.Module, run: Run | None) -> bool:
        for parameter in model.get_submodule(stack.frozen).parameters():
            if step == FREEZE_AT and parameter.requires_grad:
                parameter.requires_grad_(False)
                parameter.grad = None
                touched.append(parameter)
        if step == THAW_AT:
            for parameter in touched:
                parameter.requires_grad_(True)
        return False

    touched: list[nn.Parameter] = []
    commanded = stack.train(STEPS, command, ALONE, folder=tmp_path / "command").bits()
    expected = stack.train(STEPS, by_hand, None, folder=tmp_path / "hand").bits()
    assert touched
    assert differences(commanded, expected) == []
    assert differences(commanded, plain) != []


def test_a_gate_equals_a_detach_by_hand(
    stack: Stack, plain: dict[str, bytes], tmp_path: Path
) -> None:
    """A gate that blocks at a module's output is to the bit what ``detach()`` there is."""

    def command(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == FREEZE_AT:
            run.gate(f"output:{stack.gated}")
        return False

    def by_hand(step: int, model: nn.Module, run: Run | None) -> bool:
        if step == FREEZE_AT:
            model.get_submodule(stack.gated).register_forward_hook(
                lambda module, inputs, output: output.detach()
            )
            model.zero_grad()  # fastai leaves zeros, by which it would go on moving weights
        return False

    commanded = stack.train(STEPS, command, ALONE, folder=tmp_path / "command").bits()
    expected = stack.train(STEPS, by_hand, None, folder=tmp_path / "hand").bits()
    assert differences(commanded, expected) == []
    assert differences(commanded, plain) != []


def test_a_resumed_training_equals_an_uninterrupted_one(stack: Stack, tmp_path: Path) -> None:
    """From the library's own checkpoint training goes on to the bit, freezes and gates included."""

    def steer(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 2:
            run.freeze(stack.frozen)
            run.gate(f"output:{stack.gated}", when="step % 4 == 3 and norm_avg > 0", hold=2)
        return False

    resumed_steps = []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        frozen = [each.name for each in run.parameters() if each.frozen is not None]
        assert frozen
        assert all(name.startswith(f"{stack.frozen}.") for name in frozen)
        assert [gate.site for gate in run.gates()] == [f"output:{stack.gated}"]
        resumed_steps.append(step)
        return False

    whole = stack.train(STEPS, steer, ALONE, folder=tmp_path, save_at=SAVE_AT).bits()
    resumed = stack.train(STEPS, look, ALONE, folder=tmp_path, save_at=SAVE_AT, resume=True)
    assert resumed_steps == list(range(SAVE_AT + 1, STEPS + 1))
    assert differences(resumed.bits(), whole) == []


class Talk:
    """Steers a run over REST from between its steps, and lets training end when all is done."""

    def __init__(self, server: ServerProcess, stack: Stack) -> None:
        self._server = server
        self._stack = stack
        self._steps = self._course()
        self.run = ""
        self.said: list[str] = []

    def after_step(self, step: int, model: nn.Module, run: Run | None) -> bool:
        """Look after each step whether the last command is done, and give the next."""
        assert run is not None
        assert step < 1_000, f"nothing more than {self.said} came about"
        self.run = run.id
        self._model = model
        return next(self._steps, True)

    def _course(self) -> Iterator[bool]:
        target, site = self._stack.frozen, f"output:{self._stack.gated}"
        path = f"/api/runs/{self.run}"
        wait_for(lambda: self._server.page(path).status_code == 200, message="the run is known")
        self._names = [name for name, value in self._frozen() if value.requires_grad]
        yield from self._done("verified", kind="freeze", target=target)
        before = self._weights()
        yield from self._done("applied", kind="explain", target="*")
        for _ in range(3):
            yield False
        assert self._weights() == before
        why = self._server.get(f"/api/runs/{self.run}/explanations")
        causes = {each["name"]: each["cause"] for each in why["explanations"]}
        assert {causes.get(name) for name in self._names} == {"frozen_by_command"}
        yield from self._done("verified", kind="thaw", target=target)
        yield from self._done("verified", kind="gate", site=site, when="True", action="block")
        yield False

    def _frozen(self) -> list[tuple[str, nn.Parameter]]:
        prefix = f"{self._stack.frozen}."
        return [each for each in self._model.named_parameters() if each[0].startswith(prefix)]

    def _weights(self) -> dict[str, bytes]:
        return {name: value.detach().numpy().tobytes() for name, value in self._frozen()}

    def _done(self, state: str, **command: Any) -> Iterator[bool]:
        answer = self._server.post(f"/api/runs/{self.run}/commands", command)
        assert answer.status_code < 300, answer.text
        path = f"/api/runs/{self.run}/commands/{answer.json()['id']}"
        while (now := self._server.get(path))["state"] != state:
            assert now["state"] not in ("rejected", "drifted", "lost"), now
            yield False
        self.said.append(command["kind"])


def test_it_is_steered_over_rest(stack: Stack, server: ServerProcess, tmp_path: Path) -> None:
    """One line, and the dashboard freezes, thaws, gates, and says why; the run ends finished."""
    talk = Talk(server, stack)
    options = {"server": server.url, "every": 1, "name": "steered"}
    stack.train(10_000, talk.after_step, options, folder=tmp_path)
    assert talk.said == ["freeze", "explain", "thaw", "gate"]
    path = f"/api/runs/{talk.run}"
    wait_for(lambda: server.get(path)["status"] == "finished", message="the run has ended")
    assert server.get(path)["name"] == "steered"


def test_a_training_that_raises_has_failed(
    stack: Stack, server: ServerProcess, tmp_path: Path
) -> None:
    """What raises in the script goes on being raised; the run has failed."""
    runs = []

    def after_step(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        runs.append(run.id)
        if step == 3:
            raise ZeroDivisionError("the script's own")
        return False

    with pytest.raises(ZeroDivisionError, match="the script's own"):
        stack.train(STEPS, after_step, {"server": server.url}, folder=tmp_path)
    status = f"/api/runs/{runs[0]}"
    wait_for(lambda: server.get(status)["status"] == "failed", message="the run has ended")
