"""``explain``: leaves no trace, and answers what cannot be explained with a sentence."""

from __future__ import annotations

import copy
import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.session import closure, kept_model

X = torch.linspace(-1, 1, 24).reshape(6, 4)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")


class Restless(nn.Module):
    """Changes in its forward all that a forward can change."""

    average: Tensor
    late: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.words = nn.Embedding(5, 4, max_norm=0.1)
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, 2)
        self.register_buffer("average", torch.zeros(4))
        self.register_buffer("late", None)
        self.own = torch.Generator().manual_seed(3)
        self.numbers = np.random.default_rng(3)
        self.queue = torch.zeros(2, 4)
        self.calls = 0
        self.hidden: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        h = self.norm(self.encoder(x) + self.words(torch.arange(6) % 5))
        self.average = 0.9 * self.average + 0.1 * h.detach().mean(0)
        self.late = torch.ones(1)
        self.queue[0] = h.detach()[0]
        self.hidden = h
        noise = torch.rand(4, generator=self.own) * random.random() * np.random.rand()
        with torch.no_grad():
            self.encoder.bias.clamp_(-0.1, 0.1)
            self.head.weight.data = self.head.weight.data * 0.5
        self.fresh = noise
        return self.head(self.dropout(h + noise * self.numbers.random()))  # type: ignore[no-any-return]


def made() -> Restless:
    torch.manual_seed(0)
    return Restless()


def everything(model: Restless, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """All that may change, with tensors as bytes."""
    found: dict[str, Any] = {
        "state": model.state_dict(),
        "gradients": {name: each.grad for name, each in model.named_parameters()},
        "trainable": {name: each.requires_grad for name, each in model.named_parameters()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "optimizer": optimizer.state_dict(),
        "plain": [model.calls, model.hidden, model.queue, model.late, hasattr(model, "fresh")],
        "own": [model.own.get_state(), model.numbers.bit_generator.state],
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": np.random.get_state(),
    }
    return {name: _bytes(value) for name, value in copy.deepcopy(found).items()}


def _bytes(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: _bytes(each) for key, each in value.items()}
    return [_bytes(each) for each in value] if isinstance(value, (list, tuple)) else value


def plain(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    model(X).square().mean().backward()


def freezing(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    model.encoder.requires_grad_(False)
    model.eval()
    plain(model, optimizer)


def stepping(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    plain(model, optimizer)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.5


def another(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    plain(model, optimizer)
    torch.optim.SGD(model.parameters(), 0.1, momentum=0.9).step()


def assigning(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    plain(model, optimizer)
    model.head.weight = nn.Parameter(torch.ones(2, 4))
    model.register_buffer("new", torch.ones(1))


def failing(model: Restless, optimizer: torch.optim.Optimizer) -> None:
    stepping(model, optimizer)
    raise KeyError("mine")


@pytest.mark.parametrize("step", [plain, freezing, stepping, another, assigning, failing])
@pytest.mark.parametrize("warm", [False, True])
def test_explain_leaves_no_trace(
    step: Callable[[Restless, torch.optim.Optimizer], None], *, warm: bool
) -> None:
    """Whatever the closure does: every bit of the model, optimizer and generators is as before."""
    model = made()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    if warm:
        plain(model, optimizer)
        optimizer.step()
    model.hidden = None
    before = everything(model, optimizer)
    gradients = [each.grad for each in model.parameters()]
    weight, memory = model.head.weight, model.head.weight.data_ptr()
    try:
        probe.explain(model, lambda: step(model, optimizer), optimizer)
    except KeyError:
        assert step is failing
    after = everything(model, optimizer)
    assert {name for name in before if before[name] != after[name]} == set()
    assert all(a is b.grad for a, b in zip(gradients, model.parameters(), strict=True))
    assert model.head.weight is weight
    assert weight.data_ptr() == memory


@pytest.mark.parametrize(
    ("place", "broken"),
    [(closure.threading, "get_ident"), (kept_model, "_held_by"), (kept_model, "_kept")],
    ids=["at once", "parameters", "memory"],
)
def test_a_step_that_cannot_be_put_back_is_not_made(
    monkeypatch: pytest.MonkeyPatch, place: Any, broken: str
) -> None:
    """Wherever the probe fails before it: there is no explanation, and no bit is another."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = made()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    plain(model, optimizer)
    optimizer.step()
    model.hidden = None
    before = everything(model, optimizer)

    def fail(*_: object) -> None:
        raise RuntimeError("injected")

    def broken_step() -> None:
        plain(model, optimizer)
        with monkeypatch.context() as patch:
            patch.setattr(place, broken, fail)
            optimizer.step()

    with pytest.raises(probe.CommandError, match=r"step is not made: .*injected"):
        probe.explain(model, broken_step, optimizer)
    after = everything(model, optimizer)
    assert {name for name in before if before[name] != after[name]} == set()


def test_leaves_that_no_model_has_keep_their_gradients() -> None:
    """Neither a plain list's layers nor an input that wants one gets any."""
    layers, x = [nn.Linear(4, 4)], X.clone().requires_grad_()
    x.grad = torch.ones(6, 4)
    head = nn.Linear(4, 2)
    probe.explain(head, lambda: head(layers[0](x)).sum().backward())
    assert layers[0].weight.grad is None
    assert torch.equal(x.grad, torch.ones(6, 4))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_a_gradient_that_cannot_be_assigned_keeps_its_bits() -> None:
    """A weight in CSR has a dense gradient, which torch lets nobody put back."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.eye(4).to_sparse_csr())

    def closure() -> None:
        (model.weight @ X.T).square().sum().backward()

    closure()
    gradient = model.weight.grad
    assert gradient is not None
    before = gradient.clone()
    assert probe.explain(model, closure) == {}
    assert model.weight.grad is gradient
    assert torch.equal(gradient.to_dense(), before.to_dense())


def test_a_graph_from_before_is_still_good() -> None:
    """What was not changed is not written to, which the backward of an earlier loss would see."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    loss = model(X).square().mean()
    probe.explain(model, lambda: model(X).sum().backward())
    loss.backward()
    assert model[0].weight.grad is not None


def test_a_closure_that_steps_is_told_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence names the optimizer and the line."""
    model = made()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)

    def closure() -> None:
        for _ in range(2):
            stepping(model, optimizer)

    with caplog.at_level(logging.WARNING, "gradgate"):
        assert probe.explain(model, closure, optimizer) == {}
    (record,) = caplog.records
    assert "Adam.step()" in record.message
    assert "test_closure.py:" in record.message
    assert "leave the step out" in record.message


def test_an_inner_loop_may_step_a_copy(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to leave out: the optimizer holds no parameter of the model."""
    model = made()

    def closure() -> None:
        learner = copy.deepcopy(model)
        stepping(learner, torch.optim.SGD(learner.parameters(), 0.1))
        model(X).sum().backward()

    with caplog.at_level(logging.WARNING, "gradgate"):
        probe.explain(model, closure)
    assert caplog.records == []


def test_what_another_thread_trains_goes_on() -> None:
    """Its optimizer is none of the closure's, and what it did stays."""
    model, other = nn.Linear(4, 2), nn.Linear(4, 2)
    optimizer, before = torch.optim.SGD(other.parameters(), 0.1), other.weight.detach().clone()

    def train() -> None:
        other(X).sum().backward()
        optimizer.step()

    def closure() -> None:
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        model(X).sum().backward()

    assert probe.explain(model, closure) == {}
    assert not torch.equal(before, other.weight)


def test_an_error_of_the_closure_says_what_to_do() -> None:
    """It is the script's own error, with a note."""
    model = nn.Linear(4, 2)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        probe.explain(model, lambda: model(torch.ones(3, 5)).sum().backward())
    notes = getattr(caught.value, "__notes__", ["call the closure by itself"])
    assert "call the closure by itself" in notes[0]


def does_nothing() -> None:
    """As a closure that only defines what it ought to run."""


async def begins_nothing() -> None:
    """A coroutine function: to call it runs nothing."""


@pytest.mark.parametrize(
    ("closure", "says"),
    [
        (does_nothing, "`does_nothing` called no torch function"),
        (lambda: nn.Linear, "let it make a forward and a backward"),
        (None, "closure is a NoneType.*give the function itself"),
        (torch.ones(()), "closure is a Tensor.*give the function itself"),
        (3, "closure is a int; explain.. wants a function"),
    ],
)
def test_a_closure_that_is_of_no_use_is_refused(closure: Any, says: str) -> None:
    """The message says what was given and what is wanted."""
    model = nn.Linear(4, 2)
    model.weight.grad = torch.ones(2, 4)
    with pytest.raises(probe.CommandError, match=says):
        probe.explain(model, closure)
    assert torch.equal(model.weight.grad, torch.ones(2, 4))


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(2)), "`0.weight`, `0.bias` have no shape yet.*once"),
        (lambda: nn.Linear(2, 2, device="meta"), "`weight`, `bias` have no values.*to_empty"),
    ],
)
def test_a_model_without_values_is_refused(model: Callable[[], nn.Module], says: str) -> None:
    """Before anything runs: the closure is not called."""
    with pytest.raises(probe.CommandError, match=says):
        probe.explain(model(), lambda: pytest.fail("the closure ran"))
