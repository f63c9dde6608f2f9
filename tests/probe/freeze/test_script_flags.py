"""A script that sets ``requires_grad`` itself, and what a command has frozen."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from gradgate import probe
from gradgate.probe.model.commands import FreezeCommand, ThawCommand
from gradgate.probe.session.run import job_of
from tests.support.lines import line_of
from tests.support.steered import reports_of

Toggle = Callable[[nn.Module, bool], None]


def by_method(net: nn.Module, flag: bool) -> None:
    """As CycleGAN's ``set_requires_grad``."""
    for parameter in net.parameters():
        parameter.requires_grad_(flag)  # <- by_method


def by_assignment(net: nn.Module, flag: bool) -> None:
    """As the callbacks that unfreeze one layer after the other."""
    for parameter in net.parameters():
        parameter.requires_grad = flag  # <- by_assignment


def by_module(net: nn.Module, flag: bool) -> None:
    """As PEFT's ``set_adapter``."""
    net.requires_grad_(flag)  # <- by_module


def past_all_that_listens(net: nn.Module, flag: bool) -> None:
    """As nobody writes it."""
    for parameter in net.parameters():
        Tensor.requires_grad_(parameter, flag)


class Toggled:
    """As Lightning's ``toggle_optimizer``: remembers the flags, and gives them back."""

    def __init__(self) -> None:
        self._flags: dict[nn.Parameter, bool] = {}

    def __call__(self, net: nn.Module, flag: bool) -> None:
        if not flag:
            self._flags = {p: p.requires_grad for p in net.parameters()}
        for parameter in net.parameters():
            parameter.requires_grad = flag and self._flags[parameter]


class Gan:
    """A generator, and a discriminator that the loop switches off and on in each iteration."""

    def __init__(self, toggle: Toggle, make: Callable[..., Optimizer]) -> None:
        torch.manual_seed(0)
        self.g = nn.Linear(4, 4)
        self.d = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizers = [make(net.parameters(), lr=0.01) for net in (self.g, self.d)]
        self._toggle = toggle

    def train(self, count: int) -> None:
        of_g, of_d = self.optimizers
        for _ in range(count):
            noise, real = torch.randn(8, 4), torch.randn(8, 4)
            self._toggle(self.d, False)
            of_g.zero_grad()
            (-self.d(self.g(noise)).mean()).backward()
            of_g.step()
            self._toggle(self.d, True)
            of_d.zero_grad()
            (self.d(self.g(noise).detach()).mean() - self.d(real).mean()).backward()
            of_d.step()

    def attach(self, **options: bool) -> probe.Run:
        models = {"g": self.g, "d": self.d}
        return probe.attach(models, self.optimizers, server=False, every=1, **options)


def bits(net: nn.Module) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in net.parameters()]


@pytest.fixture(autouse=True)
def unpatched() -> Iterator[None]:
    """Nothing listens any more when a test is over."""
    yield
    assert "requires_grad" not in vars(nn.Parameter)
    assert "requires_grad_" not in vars(nn.Parameter)


@pytest.mark.parametrize("make", [AdamW, SGD, lambda p, lr: SGD(p, lr, 0.9, weight_decay=0.1)])
@pytest.mark.parametrize(
    "toggle", [by_method, by_assignment, by_module, Toggled(), past_all_that_listens]
)
def test_a_freeze_holds_bitwise_and_names_the_line(
    toggle: Toggle, make: Callable[..., Optimizer]
) -> None:
    """Whatever momentum there is; the generator trains on, and a thaw ends it."""
    gan = Gan(toggle, make)
    with gan.attach() as run:
        reports = reports_of(run)
        gan.train(3)
        run.freeze("d")
        frozen, free = bits(gan.d), bits(gan.g)
        gan.train(6)
        assert bits(gan.d) == frozen
        assert bits(gan.g) != free
        assert all(info.frozen for info in run.parameters() if info.name.startswith("d"))
        assert {report.state.value for report in reports} == {"applied", "verified"}
        details = " ".join(report.detail for report in reports if report.detail)
        if isinstance(toggle, Toggled):
            assert "asked" not in details
        else:
            assert details.count("the script asked to train d.0.weight (and 3 more)") == 1
            mark = getattr(toggle, "__name__", "")
            listened = toggle is not past_all_that_listens
            where = f" at {line_of(__file__, mark)}" if listened else ""
            assert f"(and 3 more){where}; it stays frozen" in details
        run.thaw("d")
        gan.train(1)
        assert bits(gan.d) != frozen
    assert all(parameter.requires_grad for parameter in gan.d.parameters())


def nothing(number: int) -> None:
    """Leave all as it is."""


class Turns:
    """A GAN of which each optimizer's turn switches the other's parameters off, and gives back
    what it found; ``by``: as Lightning's ``toggle_optimizer`` does, or a list, or a context."""

    def __init__(self, by: str) -> None:
        torch.manual_seed(0)
        self.g, self.d = nn.Linear(4, 4), nn.Linear(4, 1)
        self.nets = [self.g, self.d]
        self.optimizers = [AdamW(net.parameters(), lr=0.01) for net in self.nets]
        self._turn = getattr(self, by)

    def lightning(self, k: int) -> Iterator[None]:
        saved = {}
        for optimizer in self.optimizers:
            for parameter in optimizer.param_groups[0]["params"]:
                saved[parameter] = parameter.requires_grad
                parameter.requires_grad = False
        for parameter in self.nets[k].parameters():
            parameter.requires_grad = saved[parameter]
        yield
        for parameter in self.nets[1 - k].parameters():
            parameter.requires_grad = saved[parameter]

    def listed(self, k: int) -> Iterator[None]:
        other = list(self.nets[1 - k].parameters())
        saved = [parameter.requires_grad for parameter in other]
        self.nets[1 - k].requires_grad_(False)
        yield
        for parameter, flag in zip(other, saved, strict=True):
            parameter.requires_grad_(flag)

    def whole(self, k: int) -> Iterator[None]:
        saved = next(self.nets[1 - k].parameters()).requires_grad
        self.nets[1 - k].requires_grad_(False)
        yield
        self.nets[1 - k].requires_grad_(saved)

    def train(
        self, before: Callable[[int], object], after: Callable[[int], object]
    ) -> list[list[bytes]]:
        """Make ten rounds; ``before`` and ``after`` are called with the number of each."""
        found = []
        for number in range(1, 11):
            before(number)
            for k, optimizer in enumerate(self.optimizers):
                with contextmanager(self._turn)(k):
                    made = self.g(torch.ones(8, 4) * number)
                    loss = self.d(made if k == 0 else made.detach()).square().mean()
                    optimizer.zero_grad()
                    if loss.requires_grad:
                        loss.backward()
                    optimizer.step()
            after(number)
            found.append(bits(self.g) + bits(self.d))
        return found


@pytest.mark.parametrize("target", ["g", "d", "d.weight"])
@pytest.mark.parametrize("by", ["lightning", "listed", "whole"])
def test_a_thaw_stands_though_a_loop_gives_back_the_flag_of_the_freeze(
    by: str, target: str
) -> None:
    """It takes effect in the midst of a turn, and every bit is that of a thaw by hand after it."""

    def by_hand(number: int) -> None:
        if number in (3, 6):
            for name, parameter in {"g": hand.g, "d": hand.d}[target[0]].named_parameters():
                if target in (target[0], f"{target[0]}.{name}"):
                    parameter.requires_grad_(number == 6)
                    parameter.grad = None if number == 3 else parameter.grad

    def ask(number: int) -> None:
        """As the server does: it takes effect at the boundary, which is inside of the last turn."""
        if number == 3:
            job_of(run).queue.submit(FreezeCommand(target, by="rest", id=1))
        if number == 6:
            job_of(run).queue.submit(ThawCommand(target, by="rest", id=2))

    hand, turns = Turns(by), Turns(by)
    expected = hand.train(nothing, by_hand)
    models = {"g": turns.g, "d": turns.d}
    with probe.attach(models, turns.optimizers, server=False, every=1) as run:
        reports = reports_of(run)
        found = turns.train(ask, nothing)
    assert [number for number in range(10) if found[number] != expected[number]] == []
    assert [report.state.value for report in reports] == ["delivered", "applied", "verified"] * 2


@pytest.mark.parametrize("toggle", [by_method, by_assignment, by_module])
def test_a_loop_that_switches_off_by_itself_does_so_right_after_a_thaw(toggle: Toggle) -> None:
    """It has saved nothing, whatever its line looks like."""
    off: list[bool] = []

    def told(net: nn.Module, flag: bool) -> None:
        toggle(net, flag)
        if not flag:
            off.append(not any(parameter.requires_grad for parameter in net.parameters()))

    gan = Gan(told, AdamW)
    with gan.attach() as run:
        run.freeze("d")
        gan.train(2)
        job_of(run).queue.submit(ThawCommand("d", by="rest", id=1))
        gan.train(3)
        assert all(parameter.requires_grad for parameter in gan.d.parameters())
    assert off == [True] * 5


@pytest.mark.parametrize("toggle", [by_method, by_assignment, past_all_that_listens])
def test_the_script_wins_where_it_is_told_so(toggle: Toggle) -> None:
    """Its thaw ends the freeze, which is no drift, and names the line."""
    gan = Gan(toggle, AdamW)
    with gan.attach(script_wins=True) as run:
        reports = reports_of(run)
        gan.train(2)
        run.freeze("d")
        frozen = bits(gan.d)
        gan.train(2)
        assert bits(gan.d) != frozen
        assert all(info.frozen is None for info in run.parameters())
    assert "drifted" not in {report.state.value for report in reports}
    ended = [report.reason for report in reports if report.state.value == "superseded"]
    listened = toggle is not past_all_that_listens
    where = f" at {line_of(__file__, toggle.__name__)}" if listened else ""
    thawed = f"d.0.weight (and 3 more) was made trainable again by the script{where}"
    assert ended == [f"{thawed}, whose word stands"]


def test_a_thaw_by_the_script_counts_though_it_is_frozen_again_at_the_boundary() -> None:
    """A loop whose last word in an iteration is off has trained it all the same."""
    model = nn.Linear(2, 2)
    optimizer = AdamW(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1, script_wins=True) as run:
        reports = reports_of(run)
        run.freeze("*")
        by_method(model, True)
        model(torch.ones(2)).sum().backward()
        by_method(model, False)
        optimizer.step()
        assert all(info.frozen is None for info in run.parameters())
    assert [report.state.value for report in reports] == ["applied", "superseded"]
    assert not model.weight.requires_grad


@pytest.mark.parametrize("flag", [True, False])
def test_detach_leaves_what_the_script_has_set_last(flag: bool) -> None:
    """Though it had no effect while the command stood."""
    model = nn.Linear(2, 2)
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("weight")
        by_method(model, not flag)
        by_method(model, flag)
        assert not model.weight.requires_grad
        assert model.bias.requires_grad == flag
    assert model.weight.requires_grad == flag


def test_other_parameters_are_the_scripts_own() -> None:
    """Those of the same model that no command froze, and those of others."""
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    with probe.attach(model, SGD(model.parameters(), lr=0.1), server=False) as run:
        run.freeze("weight")
        for net in (model, other):
            by_assignment(net, False)
            assert not any(parameter.requires_grad for parameter in net.parameters())
            by_assignment(net, True)
        assert model.bias.requires_grad
        assert other.weight.requires_grad
        assert model.weight.requires_grad_() is model.weight


def test_the_log_says_it_once_for_each_line(caplog: pytest.LogCaptureFixture) -> None:
    """And what would let the script decide."""
    gan = Gan(by_method, SGD)
    with gan.attach() as run, caplog.at_level(logging.WARNING, "gradgate"):
        run.freeze("d")
        gan.train(3)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert told[0].startswith(
        f"gradgate: {line_of(__file__, 'by_method')} asks to train d.0.weight"
    )
    assert "attach(..., script_wins=True)" in told[0]


def test_a_note_names_the_line_and_the_freeze() -> None:
    """As long as the freeze stands; it is no alert, for nothing is wrong."""
    gan = Gan(by_module, SGD)
    with gan.attach() as run:
        gan.train(1)
        run.freeze("d.0")
        gan.train(2)
        (note,) = run.notes()
        assert (note.name, note.cause) == ("d.0.weight", "frozen_by_command")
        assert note.where == line_of(__file__, "by_module")
        assert "and 1 more, and a command keeps it frozen since step 1" in str(note.detail)
        assert run.alerts() == []
        run.thaw("d")
        gan.train(2)
        assert run.notes() == []


def test_a_freeze_commanded_anew_is_told_anew() -> None:
    """What the script asked before does not count against it."""
    gan = Gan(by_method, SGD)
    with gan.attach() as run:
        run.freeze("d")
        gan.train(2)
        run.thaw("d")
        gan.train(1)
        reports = reports_of(run)
        run.freeze("d.0")
        gan.train(2)
    assert any("asked to train d.0.weight (and 1 more)" in (r.detail or "") for r in reports)


def test_a_run_that_is_dropped_without_a_detach_is_collected() -> None:
    """With it goes what listens."""
    model = nn.Linear(2, 2)
    optimizer = SGD(model.parameters(), lr=0.1)
    probe.attach(model, optimizer, server=False).freeze("weight")
    gone = weakref.ref(model)
    del model, optimizer
    gc.collect()
    assert gone() is None
