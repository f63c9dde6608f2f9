"""What a step really did to a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.measure.kept_elements import MOST
from gradgate.probe.model.movement import Movement
from gradgate.probe.model.sample import UPDATE_RATIO, WEIGHT_NORM
from gradgate.probe.session.run import job_of

SGD = torch.optim.SGD


@contextmanager
def watched(model: Any, optimizer: Any, **options: Any) -> Iterator[list[Movement]]:
    """Attach, and gather what is seen of movement; the probe must not fault."""
    seen: list[Movement] = []
    with probe.attach(model, optimizer, server=False, every=1, **options) as run:
        job = job_of(run)
        job.delivery.movement_seen.add(seen.append)
        yield seen
        run.flush()
        assert job.guard.faults == 0


def loss_of(model: nn.Module, step: int) -> Tensor:
    """The sum of what a model makes of rows that depend on the step."""
    torch.manual_seed(step)
    first = next(model.parameters())
    result: Tensor = model(torch.randn(8, first.shape[-1], dtype=first.dtype)).sum()
    return result


def train(model: nn.Module, optimizer: torch.optim.Optimizer, *steps: int) -> list[Tensor]:
    """Make steps; return the weights as they were before the last one."""
    before: list[Tensor] = []
    for step in steps:
        before = [parameter.detach().clone() for parameter in model.parameters()]
        loss_of(model, step).backward()
        optimizer.step()
        optimizer.zero_grad()
    return before


def ratios(model: nn.Module, before: list[Tensor]) -> list[float]:
    """The ratio of each weight's change to the weight, in float64."""
    return [
        float((now.detach().double() - then.double()).norm() / now.detach().double().norm())
        for now, then in zip(model.parameters(), before, strict=True)
    ]


def perceptron(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Two layers: parameters 0 and 1, 2 and 3."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
        lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
        lambda p: torch.optim.Adam(p, lr=0.01, foreach=False),
    ],
    ids=["momentum", "foreach", "fused", "one by one"],
)
def test_the_ratio_of_a_step_is_that_of_float64(
    make: Callable[[Any], torch.optim.Optimizer],
) -> None:
    """Whichever kernels the optimizer has; the norm is that of the weight after the step."""
    model = perceptron()
    optimizer = make(model.parameters())
    with watched(model, optimizer) as seen:
        for step in (1, 2):
            wanted = ratios(model, train(model, optimizer, step))
            assert seen[-1].step == step
            assert seen[-1].update_ratio == pytest.approx(wanted, rel=1e-5)
            norms = [float(p.detach().double().norm()) for p in model.parameters()]
            assert seen[-1].weight_norm == pytest.approx(norms, rel=1e-6)
            assert seen[-1].stepped.all()
    assert not seen[0].known.any()
    assert seen[1].known.all()
    assert seen[1].moved.all()
    assert (seen[1].since == 1).all()


def test_a_sample_has_the_figures_of_its_look() -> None:
    """By their codes, so that they travel with it."""
    model = nn.Linear(4, 1)
    optimizer = SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, 1)
        sample = job_of(run).measurement.latest.sample
        assert sample is not None
        assert sample.values[UPDATE_RATIO].min() > 0
        assert sample.values[WEIGHT_NORM][0] == pytest.approx(float(model.weight.detach().norm()))


def test_each_optimizer_of_several_is_watched_in_its_own_step() -> None:
    """A critic's step moves the critic, and what steps twice is looked at in each round."""
    models = {"g": nn.Linear(4, 4), "d": nn.Linear(4, 1)}
    optimizers = [SGD(model.parameters(), lr=0.1) for model in models.values()]
    with watched(models, optimizers) as seen:
        for step in (1, 2):
            models["d"](models["g"](torch.ones(2, 4))).sum().backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            assert seen[-1].step == step
            assert seen[-1].stepped.tolist() == [True] * 4
            assert (seen[-1].update_ratio > 0).all()
        train(models["d"], optimizers[1], 3)
        train(models["d"], optimizers[1], 4)
    assert seen[-1].stepped.tolist() == [False, False, True, True]
    assert seen[-1].moved.tolist() == [False, False, True, True]


def test_steps_inside_the_backward_are_watched() -> None:
    """As those of optimizers that step from a hook on each parameter."""
    model = perceptron()
    optimizers = {p: SGD([p], lr=0.1) for p in model.parameters()}
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: optimizers[p].step())
    with watched(model, list(optimizers.values())) as seen:
        for step in (1, 2, 3):
            before = [parameter.detach().clone() for parameter in model.parameters()]
            loss_of(model, step).backward()
            model.zero_grad()
        wanted = ratios(model, before)
    assert seen[-1].update_ratio == pytest.approx(wanted, rel=1e-5)
    assert seen[-1].moved.all()


def test_a_closure_steps_inside_the_step() -> None:
    """L-BFGS computes its gradients there."""
    model = perceptron()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, 0).square()
        loss.backward()
        return loss

    with watched(model, optimizer) as seen:
        for _ in (1, 2):
            before = [parameter.detach().clone() for parameter in model.parameters()]
            optimizer.step(closure)  # type: ignore[arg-type]
            wanted = ratios(model, before)
            assert seen[-1].update_ratio == pytest.approx(wanted, rel=1e-5)
    assert seen[-1].moved.all()


@pytest.mark.parametrize("fused", [True, False])
def test_a_step_that_amp_skips_moves_nothing(*, fused: bool) -> None:
    """A fused optimizer decides in its kernel, of another the scaler does not call the step."""
    model = perceptron()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)  # type: ignore[attr-defined]
    with watched(model, optimizer) as seen:
        for factor in (1.0, torch.inf, 1.0):
            scaler.scale(loss_of(model, 1) * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    assert [movement.skipped for movement in seen] == [False, True, False]
    assert seen[1].known.all()
    assert not seen[1].moved.any()
    assert not (seen[1].update_ratio > 0).any()
    assert seen[2].moved.all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_update_that_the_type_cannot_take_up_is_no_movement(dtype: torch.dtype) -> None:
    """One 100,000th of a weight is far below what 8 or 11 bits can hold."""
    model = perceptron(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
    optimizer = SGD(model.parameters(), lr=1e-6)
    with watched(model, optimizer) as seen:
        train(model, optimizer, 1, 2)
    assert seen[-1].known.all()
    assert not seen[-1].moved.any()
    assert seen[-1].update_ratio.tolist() == [0, 0, 0, 0]
    assert seen[-1].stepped.all()


def test_what_no_step_did_has_moved_all_the_same() -> None:
    """A write through .data, which PyTorch does not count, or of one bit of a large weight."""
    model = nn.Sequential(nn.Linear(200, 100), nn.Linear(100, 1))
    optimizer = SGD([model[1].weight], lr=0.1)
    with watched(model, optimizer) as seen:
        train(model, optimizer, 1)
        model[0].bias.data.add_(1)
        model[0].weight.data[17, 3] += 1e-3
        train(model, optimizer, 2, 3)
    assert [movement.moved.tolist() for movement in seen[1:]] == [
        [True, True, True, False],
        [False, False, True, False],
    ]
    assert seen[1].stepped.tolist() == [False, False, True, False]
    assert torch.tensor(seen[1].update_ratio).isnan().tolist() == [True, True, False, True]


@pytest.mark.parametrize("what", ["cast", "replaced"])
def test_another_tensor_is_not_compared_with_the_one_before(what: str) -> None:
    """Nobody knows whether that was meant as a movement; from the next look on it is known."""
    model = perceptron()
    optimizer = SGD(model.parameters(), lr=0.1)
    with watched(model, optimizer) as seen:
        train(model, optimizer, 1, 2)
        if what == "cast":
            model.double()
        else:
            model[0].weight = nn.Parameter(torch.randn(8, 16))
            optimizer.add_param_group({"params": [model[0].weight]})
        train(model, optimizer, 3, 4, 5, 6, 7, 8)
    changed = [0, 1, 2, 3] if what == "cast" else [4]
    for index in changed:
        assert not seen[2].known[index]
        assert seen[-1].known[index]
        assert seen[-1].moved[index]
    if what == "replaced":
        assert not seen[2].known[0]
        assert seen[2].known[1:4].all()


class Odd(nn.Module):
    """Parameters of every shape and kind, two of them tied."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.none = nn.Parameter(torch.empty(0, 3))
        self.weight = nn.Parameter(torch.randn(3, 3))
        self.tied = self.weight
        self.complex = nn.Parameter(torch.ones(3, dtype=torch.complex64))
        self.whole = nn.Parameter(torch.arange(3), requires_grad=False)
        self.away = nn.Parameter(torch.empty(3, device="meta"))
        self.lazy = nn.LazyLinear(2)
        self.laid_out = nn.Parameter(torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """Use what can be used."""
        y = x @ self.weight @ self.tied * self.scale + self.complex.real
        return y.sum() + (self.laid_out * 2).sum()


def test_parameters_of_every_kind_are_looked_at_or_left_out() -> None:
    """Scalars, complex and whole numbers, channels last; none that is empty, meta or lazy."""
    model = Odd()
    optimizer = SGD([model.scale, model.weight, model.complex, model.laid_out], lr=0.1)
    with watched(model, optimizer) as seen:
        for _ in (1, 2):
            model(torch.ones(2, 3)).backward()
            optimizer.step()
            optimizer.zero_grad()
        names = [name for name, _ in model.named_parameters()]
    known = {name for name, known in zip(names, seen[-1].known, strict=True) if known}
    moved = {name for name, moved in zip(names, seen[-1].moved, strict=True) if moved}
    assert known == {"scale", "weight", "complex", "whole", "laid_out"}
    assert moved == known - {"whole"}


def test_rows_that_a_sparse_gradient_leaves_out_rest() -> None:
    """The weight is dense, and few of its rows move: of a small one the ratio is exact."""
    model = nn.Embedding(50, 4, sparse=True)
    optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.1)
    with watched(model, optimizer) as seen:
        for _ in (1, 2):
            before = model.weight.detach().clone()
            model(torch.tensor([3, 7])).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert seen[-1].moved.all()
    assert seen[-1].update_ratio == pytest.approx(ratios(model, [before]), rel=1e-5)


def test_an_estimate_of_zero_is_none_where_the_weight_has_moved() -> None:
    """One row in ten thousand moves, which no kept element may see."""
    model = nn.Embedding(10_000, 8)
    optimizer = SGD(model.parameters(), lr=0.1)
    with watched(model, optimizer) as seen:
        for step in range(1, 6):
            model(torch.tensor([step])).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert all(movement.moved.all() for movement in seen[1:])
    assert not any((movement.update_ratio == 0).any() for movement in seen)


def test_the_estimate_of_a_large_weight_is_within_its_stated_error() -> None:
    """Of 4,096 elements in 120,000 that move alike: within three times 2 %."""
    model = nn.Linear(400, 300, bias=False)
    assert model.weight.numel() > MOST
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with watched(model, optimizer) as seen:
        for step in range(1, 5):
            before = model.weight.detach().clone()
            torch.manual_seed(step)
            (model(torch.randn(500, 400)) * torch.randn(500, 300)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            assert seen[-1].update_ratio == pytest.approx(ratios(model, [before]), rel=0.06)


def test_a_run_without_an_optimizer_knows_what_moved() -> None:
    """But not how far in a step, of which only the end is seen."""
    model = nn.Linear(2, 2)
    with probe.attach(model, server=False, every=1) as run:
        seen: list[Movement] = []
        job_of(run).delivery.movement_seen.add(seen.append)
        for _ in (1, 2):
            with torch.no_grad():
                model.weight.add_(1)
            run.step()
    assert seen[-1].moved.tolist() == [True, False]
    assert not seen[-1].stepped.any()


def test_nothing_is_kept_of_a_step_that_raised() -> None:
    """The next one is compared with its own beginning."""
    model = perceptron()
    optimizer = SGD(model.parameters(), lr=0.1)
    with watched(model, optimizer) as seen:
        train(model, optimizer, 1)

        def fails() -> float:
            raise RuntimeError("no closure")

        with pytest.raises(RuntimeError, match="no closure"):
            optimizer.step(fails)
        with torch.no_grad():
            model[0].weight.add_(1)
        wanted = ratios(model, train(model, optimizer, 2))
        assert seen[-1].update_ratio == pytest.approx(wanted, rel=1e-5)
