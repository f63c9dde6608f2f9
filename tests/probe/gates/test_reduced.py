"""Gates on parameters whose gradients DistributedDataParallel reduces, in a job of one process.

What several processes make of them is in `tests/matrix/test_steered_ranks.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.measure.local_part import local_part
from tests.support import gating
from tests.support.gating import Branched

pytestmark = pytest.mark.usefixtures("alone")
WEIGHT = "encoder.0.weight"


def trained(wrapped: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    optimizer.zero_grad()
    gating.loss_of(wrapped, step).backward()
    optimizer.step()


@pytest.mark.parametrize("views", [False, True], ids=["copies", "bucket-views"])
def test_a_reducer_goes_on_where_a_gate_lets_nothing_pass(views: bool) -> None:
    """Its zeros are taken away, so that neither momentum nor decay moves what is behind."""
    model = Branched()
    wrapped = DistributedDataParallel(model, gradient_as_bucket_view=views)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    with gating.attached(model, optimizer) as run:
        trained(wrapped, optimizer, 1)
        run.gate("output:encoder")
        held = model.encoder[0].weight.detach().clone()
        stem = model.stem.weight.detach().clone()
        for step in (2, 3, 4):
            trained(wrapped, optimizer, step)
        assert torch.equal(model.encoder[0].weight, held)
        assert model.encoder[0].weight.grad is None
        assert not torch.equal(model.stem.weight, stem)
        (info,) = run.gates()
        assert info.closed
        assert WEIGHT in info.parameters


def test_a_gate_on_a_parameter_acts_on_the_reduced_gradient() -> None:
    """Once a step, on the sum of all its micro-batches, before the script looks at it."""
    model = Branched()
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plain = Branched()
    for step in (1, 2):
        gating.loss_of(plain, step).backward()
    norm = float(torch.linalg.vector_norm(plain.encoder[0].weight.grad))
    with gating.attached(model, optimizer) as run:
        run.gate(f"param:{WEIGHT}", "norm > 0", action="scale", factor=-1.0)
        for step in (1, 2):
            with wrapped.no_sync() if step == 1 else nullcontext():
                gating.loss_of(wrapped, step).backward()
        torch.testing.assert_close(model.encoder[0].weight.grad, -plain.encoder[0].weight.grad)
        optimizer.step()
        (info,) = run.gates()
        assert info.steps == info.closed_steps == 1
        assert info.norm_in is not None
        assert math.isclose(info.norm_in, norm, rel_tol=1e-5)


def test_in_a_compiled_model_too_the_script_clips_what_is_gated() -> None:
    """Though no hook sees its forward, and no clock the end of its backward."""
    model = Branched()
    wrapped = torch.compile(DistributedDataParallel(model), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plain = Branched()
    gating.loss_of(plain, 1).backward()
    with gating.attached(model, optimizer) as run:
        run.gate(f"param:{WEIGHT}", action="scale", factor=0.5)
        gating.loss_of(wrapped, 1).backward()
        assert model.encoder[0].weight.grad is not None
        torch.testing.assert_close(model.encoder[0].weight.grad, 0.5 * plain.encoder[0].weight.grad)
        optimizer.step()
        (info,) = run.gates()
        assert (info.steps, info.closed_steps, info.problem) == (1, 1, None)
    torch.compiler.reset()


WRAPS = pytest.mark.parametrize(
    "wrap",
    [
        partial(DistributedDataParallel, find_unused_parameters=True),
        partial(DistributedDataParallel, gradient_as_bucket_view=True, find_unused_parameters=True),
        fully_shard,
        partial(fully_shard, reshard_after_forward=False),
    ],
    ids=["copies", "bucket-views", "sharded", "unsharded"],
)


@WRAPS
def test_gates_on_gradients_in_one_buffer_act_once_each(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    """Their tensors share a count of writes: what one gate writes is no new gradient of another."""
    names = [WEIGHT, "stem.bias", "head.weight"]
    model, plain = Branched(), Branched()
    wrapped = wrap(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gating.loss_of(plain, 1).backward()
    with gating.attached(model, optimizer) as run:
        for name in names:
            run.gate(f"param:{name}", action="scale", factor=-0.5)
        gating.loss_of(wrapped, 1).backward()
        for name in names:
            grad = model.get_parameter(name).grad
            by_hand = plain.get_parameter(name).grad
            assert grad is not None
            assert by_hand is not None
            assert torch.equal(local_part(grad), by_hand * -0.5), name
        optimizer.step()
        assert [info.problem for info in run.gates()] == [None] * 3


class TwoHeads(nn.Module):
    """A stem and two heads, of which the second is left out on demand."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, x: Tensor, both: bool) -> Tensor:
        stem = torch.tanh(self.stem(x))
        first: Tensor = self.first(stem)
        return first + self.second(stem) if both else first


@WRAPS
@pytest.mark.parametrize(
    "gate",
    [
        {"action": "scale", "factor": 0.5},
        {"action": "scale", "factor": 0.5, "when": "norm > 0"},
        {"action": "scale", "factor": 0.5, "when": "norm < 0"},
        {"action": "clip", "max_norm": 0.001},
    ],
    ids=["known-before", "asks-for-the-norm", "open", "clip"],
)
def test_a_backward_that_leaves_a_parameter_out_is_no_second_reduction_of_it(
    wrap: Callable[[nn.Module], nn.Module], gate: dict[str, Any]
) -> None:
    """Though what it writes lies in one buffer with that parameter's gradient."""
    grads, names = [], ["second.weight", "second.bias"]
    for backwards in (1, 2):
        model = TwoHeads()
        wrapped = wrap(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with gating.attached(model, optimizer) as run:
            for name in names:
                run.gate(f"param:{name}", **gate)
            for _ in range(2):
                optimizer.zero_grad()
                wrapped(torch.ones(2, 4), True).square().mean().backward()
                if backwards == 2:
                    wrapped(torch.ones(2, 4), False).square().mean().backward()
                found = [model.get_parameter(name).grad for name in names]
                assert all(grad is not None for grad in found)
                grads.append([local_part(grad).clone() for grad in found if grad is not None])
                for name in ("stem", "first"):  # so that both jobs stay alike
                    for parameter in model.get_submodule(name).parameters():
                        parameter.grad = None
                optimizer.step()
            assert [info.problem for info in run.gates()] == [None, None]
            assert [info.steps for info in run.gates()] == [2, 2]
    for once, twice in zip(grads[:2], grads[2:], strict=True):
        assert all(map(torch.equal, once, twice))


@WRAPS
def test_what_is_reduced_twice_in_a_step_is_not_scaled_twice(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    """The gate stays open to the second reduction, and says so; clipping has no such trouble."""
    model = Branched()
    wrapped = wrap(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gating.attached(model, optimizer) as run:
        run.gate(f"param:{WEIGHT}", action="scale", factor=0.5)
        run.gate("param:head.weight", action="clip", max_norm=0.01)
        for step in (1, 2):
            gating.loss_of(wrapped, step).backward()
        assert model.head.weight.grad is not None
        assert float(local_part(model.head.weight.grad).norm()) < 0.0101
        optimizer.step()
        scaling, clipping = run.gates()
        assert "accumulate gradients under no_sync()" in (scaling.problem or "")
        assert clipping.closed
        assert clipping.problem is None


def test_a_gradient_that_is_assigned_by_hand_is_gated_before_the_step() -> None:
    """No backward has reduced it."""
    model = Branched()
    DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gating.attached(model, optimizer) as run:
        run.gate(f"param:{WEIGHT}")
        before = model.encoder[0].weight.detach().clone()
        model.encoder[0].weight.grad = torch.ones(8, 8)
        optimizer.step()
        assert torch.equal(model.encoder[0].weight, before)
        assert run.gates()[0].closed


def test_a_graph_that_is_taken_for_static_is_refused() -> None:
    """A gate that closes in the first backward after a freeze had the ranks drift apart."""
    model = Branched()
    wrapped = DistributedDataParallel(model, static_graph=True)
    with gating.attached(wrapped) as run:
        with pytest.raises(probe.CommandError, match="static_graph=True"):
            run.gate("output:module.encoder")
        assert run.gates() == []


def test_a_way_to_reduce_that_is_not_known_is_refused() -> None:
    """By the name of the option."""
    model = Branched()
    names = ["head.weight"]
    DistributedDataParallel(
        model,
        delay_all_reduce_named_params=[(n, model.get_parameter(n)) for n in names],
        param_to_hook_all_reduce=model.head.bias,
    )
    with gating.attached(model) as run:
        with pytest.raises(probe.CommandError, match="delay_all_reduce_named_params"):
            run.gate("output:encoder")
        assert run.gates() == []
