"""The gradient arrives, and every element of it is exactly zero."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from .case import Case, Job, classes, classifier, inputs, layers


class Branch(nn.Module):
    """A plain path, and beside it a branch whose gradient the bug in ``meet`` turns to zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.branch = nn.Linear(6, 8)
        self.head = nn.Linear(8, 3)

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.trunk(x))
        return self.head(self.meet(h, self.branch(x)))  # type: ignore[no-any-return]


class MultipliedByZero(Branch):
    """A strength that was set to zero for an ablation."""

    strength = 0.0

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return h + self.strength * b  # <- gate_multiplied_by_zero


class Clamped(Branch):
    """A gate whose offset puts all of it beyond its range."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        level = (b + 20).clamp(0, 6)  # <- clamped_beyond_its_range
        return h * level


class HardSoftmax(Branch):
    """A temperature so low that one weight is exactly one."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        attention = F.softmax(b * 1e6, dim=-1)  # <- saturated_softmax
        return h + attention


class SaturatedSigmoid(Branch):
    """A gate that was initialised wide open, and then some."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        gate = torch.sigmoid(b + 200.0)  # <- saturated_sigmoid
        return h * gate


class DroppedAltogether(Branch):
    """A dropout rate of which keep probability was meant."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return h + F.dropout(b, p=1.0)  # <- dropped_altogether


class NeverTheLargest(Branch):
    """An offset that lets one side always win."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(h, b - 50.0)  # <- never_the_largest


class HiddenByPooling(Branch):
    """Pools over a pair of which one is always larger."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return F.max_pool1d(torch.stack([h + 40, b], -1), 2).squeeze(-1)  # <- hidden_by_max_pooling


class Overwritten(Branch):
    """An experiment that fixed the gate and was left in."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        b[:] = 0.5  # <- overwritten_by_a_constant
        return h * b


class AlwaysTheOther(Branch):
    """A condition that always holds."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return torch.where(h.abs() <= 1, h, b)  # <- always_the_other_branch


class CancelsItself(Branch):
    """A straight-through estimator that forgot its detach: plus one, minus one."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        soft = torch.sigmoid(b)
        hard = (soft > 0.5).to(soft.dtype)
        return h * (soft + (hard - soft))  # <- straight_through_without_detach


class _Reverse(Function):
    """A gradient reversal whose factor was left at zero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * grads[0], None


class Reversed(Branch):
    """A domain-adversarial branch."""

    def meet(self, h: Tensor, b: Tensor) -> Tensor:
        return h + _Reverse.apply(b, 0.0)  # type: ignore[no-untyped-call]  # <- reversal_by_zero


class Dead(nn.Module):
    """A rectifier that never opens, for its layer's bias was set far below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 3)
        nn.init.constant_(self.fc1.bias, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.fc1(x))  # <- dead_relu: fc1.*
        return self.fc2(h)  # type: ignore[no-any-return]  # <- dead_relu: fc2.weight


class LoRA(nn.Module):
    """A layer with a low-rank correction whose second factor starts at zero, as it should."""

    def __init__(self, width: int, out: int, rank: int = 2) -> None:
        super().__init__()
        self.base = nn.Linear(width, out)
        self.lora_a = nn.Parameter(torch.randn(rank, width))
        self.lora_b = nn.Parameter(torch.zeros(out, rank))

    def forward(self, x: Tensor) -> Tensor:
        low = F.linear(x, self.lora_a)
        return self.base(x) + F.linear(low, self.lora_b)  # type: ignore[no-any-return]  # <- lora_at_its_start


class ReZero(nn.Module):
    """A residual branch whose learned factor starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Linear(6, 6)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.branch(x))
        x = x + self.alpha * h  # <- residual_factor_at_zero
        return self.head(x)  # type: ignore[no-any-return]


class ZeroHead(nn.Module):
    """Its last layer's weights were initialised to zero, so nothing passes to those before."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        return self.head(h)  # type: ignore[no-any-return]  # <- head_initialised_to_zero


def everything_is_padding() -> Job:
    """The mask is inverted, and the whole batch counts as padding."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    lengths = torch.full((8,), 1)

    def step() -> None:
        optimizer.zero_grad()
        losses = F.cross_entropy(model(x), y, reduction="none")
        mask = (lengths == 0).to(losses.dtype)
        loss = (losses * mask).sum() / mask.sum().clamp(min=1)  # <- everything_is_padding
        loss.backward()

    return Job(model, step, optimizer)


def margin_already_met() -> Job:
    """A hinge loss that every pair of the batch satisfies."""
    model = nn.Linear(6, 4, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    anchor = inputs()
    same, other = anchor + 0.01, anchor + 100.0

    def step() -> None:
        optimizer.zero_grad()
        near = (model(anchor) - model(same)).square().sum(1)
        far = (model(anchor) - model(other)).square().sum(1)
        loss = F.relu(near - far + 1.0).mean()  # <- margin_already_met
        loss.backward()

    return Job(model, step, optimizer)


def weight_of_a_loss_is_zero() -> Job:
    """The schedule of the auxiliary loss starts at zero and is never stepped."""
    trunk, fc, aux = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 6)
    model = nn.ModuleDict({"trunk": trunk, "fc": fc, "aux": aux})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()
    aux_weight = 0.0

    def step() -> None:
        optimizer.zero_grad()
        h = torch.tanh(trunk(x))
        reconstruction = F.mse_loss(aux(h), x)
        loss = F.cross_entropy(fc(h), y)
        loss = loss + aux_weight * reconstruction  # <- weight_of_a_loss_is_zero
        loss.backward()

    return Job(model, step, optimizer)


CAUSE = "zero_gradient"

CASES = (
    Case(
        "gate_multiplied_by_zero", lambda: classifier(MultipliedByZero()), layers(CAUSE, "branch")
    ),
    Case("clamped_beyond_its_range", lambda: classifier(Clamped()), layers(CAUSE, "branch")),
    Case("saturated_softmax", lambda: classifier(HardSoftmax()), layers(CAUSE, "branch")),
    Case("saturated_sigmoid", lambda: classifier(SaturatedSigmoid()), layers(CAUSE, "branch")),
    Case("dropped_altogether", lambda: classifier(DroppedAltogether()), layers(CAUSE, "branch")),
    Case("never_the_largest", lambda: classifier(NeverTheLargest()), layers(CAUSE, "branch")),
    Case("hidden_by_max_pooling", lambda: classifier(HiddenByPooling()), layers(CAUSE, "branch")),
    Case("overwritten_by_a_constant", lambda: classifier(Overwritten()), layers(CAUSE, "branch")),
    Case("always_the_other_branch", lambda: classifier(AlwaysTheOther()), layers(CAUSE, "branch")),
    Case(
        "straight_through_without_detach",
        lambda: classifier(CancelsItself()),
        layers(CAUSE, "branch"),
    ),
    Case("reversal_by_zero", lambda: classifier(Reversed()), layers(CAUSE, "branch")),
    Case(
        "dead_relu",
        lambda: classifier(Dead()),
        {**layers(CAUSE, "fc1"), "fc2.weight": CAUSE},
    ),
    Case("lora_at_its_start", lambda: classifier(LoRA(6, 3)), {"lora_a": CAUSE}),
    Case("residual_factor_at_zero", lambda: classifier(ReZero()), layers(CAUSE, "branch")),
    Case(
        "head_initialised_to_zero",
        lambda: classifier(ZeroHead()),
        layers(CAUSE, "body.0", "body.2"),
    ),
    Case("everything_is_padding", everything_is_padding, layers(CAUSE, "0", "2")),
    Case("margin_already_met", margin_already_met, {"weight": CAUSE}),
    Case("weight_of_a_loss_is_zero", weight_of_a_loss_is_zero, layers(CAUSE, "aux")),
)
