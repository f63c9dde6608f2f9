"""Backwards without a step of the run: who is told what, and when it is over."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.optim import optimizer as torch_optimizer

from gradgate import probe
from gradgate.probe.live.no_steps import PATIENCE, SURE
from gradgate.probe.model.commands import FreezeCommand, Report
from gradgate.probe.session.run import job_of


class Loop:
    """A job whose parts are called one by one."""

    def __init__(self, *, optimizer: bool = True, **options: Any) -> None:
        self.model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        self.optimizer = SGD(self.model.parameters(), lr=0.1)
        given = self.optimizer if optimizer else None
        self.run = probe.attach(self.model, given, server=False, every=1, **options)

    def backward(self, times: int = 1, *, moving: bool = False) -> None:
        """Make backwards; ``moving``: somebody changes the weights behind each."""
        for _ in range(times):
            self.model(torch.ones(1, 2)).sum().backward()
            if moving:
                self.model[0].bias.data += 0.1  # type: ignore[operator, union-attr]

    @property
    def told(self) -> str:
        """The detail of the only alert."""
        (alert,) = self.run.alerts()
        assert (alert.parameter, alert.cause) == (None, "no_step")
        return alert.detail or ""


def test_it_is_told_late_where_nothing_moves(caplog: pytest.LogCaptureFixture) -> None:
    """Once in the log too; the first step ends it, and every hook is gone."""
    loop = Loop()
    loop.backward(PATIENCE - 1)
    assert loop.run.alerts() == []
    with caplog.at_level(logging.WARNING, "gradgate"):
        loop.backward(2)
    assert caplog.messages == [f"gradgate: {loop.told.replace('31', '30')}"]
    assert "no step of SGD was seen, and the weights stay as they are: call opt" in loop.told
    hooks = len(torch_optimizer._global_optimizer_post_hooks)
    loop.optimizer.step()
    loop.backward(PATIENCE)
    assert loop.run.alerts() == []
    assert len(torch_optimizer._global_optimizer_post_hooks) == hooks - 1


def test_it_is_told_early_where_the_weights_move() -> None:
    """The first backward has nothing to compare with."""
    loop = Loop(optimizer=False)
    loop.backward(SURE, moving=True)
    assert loop.run.alerts() == []
    loop.backward(moving=True)
    assert "no step (by run.step()) was seen, and the weights change all the same" in loop.told
    loop.run.step()
    assert loop.run.alerts() == []


def test_another_optimizer_is_named_with_its_line() -> None:
    """Attached was one that the script has thrown away since."""
    loop = Loop()
    another = Adam(loop.model.parameters())
    for _ in range(SURE + 1):
        loop.backward()
        another.step()  # here
    (alert,) = loop.run.alerts()
    assert alert.where is not None
    line = int(alert.where.rpartition(":")[2])
    with open(__file__, encoding="utf-8") as source:
        assert source.readlines()[line - 1].endswith("another.step()  # here\n")
    assert f"a Adam at {alert.where}, which attach() was not given, makes the steps" in loop.told
    hooks = len(torch_optimizer._global_optimizer_post_hooks)
    loop.run.detach()
    assert len(torch_optimizer._global_optimizer_post_hooks) == hooks - 1


def test_a_strict_run_fails_where_it_is_sure() -> None:
    """In the next forward, since no step comes that could."""
    loop = Loop(strict=True)
    loop.backward(SURE + 1, moving=True)
    with pytest.raises(probe.ExpectationError, match=r"something else steps.*\(no_step\)$"):
        loop.backward()


@pytest.mark.parametrize("backwards", [1, PATIENCE + 1])
def test_a_strict_run_in_which_nothing_moves_fails_at_its_end(backwards: int) -> None:
    """Until then a step may come; a run without any backward is no training."""
    loop = Loop(strict=True)

    def train() -> None:
        with loop.run:
            loop.backward(backwards)

    with pytest.raises(probe.ExpectationError, match=rf"After {backwards} backwards? no step"):
        train()
    with Loop(strict=True).run:
        pass


def test_commands_that_wait_say_why() -> None:
    """Those that wait already, and those that come; and no longer once a step was seen."""
    loop = Loop()
    queue, told = job_of(loop.run).queue, list[Report]()
    job_of(loop.run).reports.add_listener(told.append)
    loop.backward()
    queue.submit(FreezeCommand("0", by="rest", id=1))
    loop.backward(PATIENCE)
    queue.submit(FreezeCommand("1.bias", by="rest", id=2))
    assert [(report.command.id, report.state.value) for report in told] == [
        (1, "delivered"),
        (1, "delivered"),
        (2, "delivered"),
    ]
    assert told[0].detail is None
    assert all("no command is applied" in str(report.detail) for report in told[1:])
    loop.optimizer.step()
    assert [report.state.value for report in told[3:]] == ["applied", "applied"]
    loop.backward()
    queue.submit(FreezeCommand("1", by="rest", id=3))
    assert told[-1].detail is None


def test_a_backward_that_raises_is_not_the_last_that_is_counted() -> None:
    """Nor one of a part of the model that is called by itself."""
    loop = Loop()

    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            raise ValueError("no")

    x = torch.ones(1, 2, requires_grad=True)
    with pytest.raises(ValueError, match="no"):
        (loop.model[1](loop.model[0](Failing.apply(x)))).sum().backward()
    for _ in range(PATIENCE):
        loop.model[0](torch.ones(1, 2)).sum().backward()
    assert f"After {PATIENCE} backwards" in loop.told


def test_a_run_that_is_dropped_without_a_step_is_collected() -> None:
    """Not even what hears of every optimizer keeps it."""
    gc.collect()
    assert not torch_optimizer._global_optimizer_post_hooks
    loop = Loop()
    loop.backward(2)
    assert len(torch_optimizer._global_optimizer_post_hooks) == 1
    found = weakref.ref(job_of(loop.run).no_steps)
    del loop
    gc.collect()
    assert found() is None
    assert not torch_optimizer._global_optimizer_post_hooks


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_a_step_with_many_backwards_is_seen_when_it_begins(search: str | None) -> None:
    """A closure is called again and again inside it, while the weights change."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=PATIENCE, line_search_fn=search)
    x, y = torch.randn(16, 4), torch.randn(16, 1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    with probe.attach(model, optimizer, server=False, every=1, expect=["*"], strict=True) as run:
        optimizer.step(closure)
        assert run.alerts() == []
