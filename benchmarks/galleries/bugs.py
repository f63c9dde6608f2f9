"""The bugs of gradients, updates and wiring that the galleries list, as jobs of our own.

After the lists of guardtower, torchtest2, torcheck, torch-audit, torchdiag, torchmortem,
traintools, gradsnitch, preflight-ml and TrainCheck. Those of several processes are in ranks.py. A
line that ends in ``# <- name`` is the one to name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from galleries.jobs import Bug, Job, data, network


class TwoHeads(nn.Module):
    """A body with two heads, of which one may be forgotten."""

    def __init__(self, *, forget: bool) -> None:
        super().__init__()
        self.forget = forget
        self.body, self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:  # <- never_called
        """Map [rows, 8] to [rows, 4]."""
        h = torch.tanh(self.body(x))
        return self.first(h) if self.forget else self.first(h) + self.second(h)  # type: ignore[no-any-return]


def never_called(broken: bool) -> Job:
    """A layer is made and never called."""
    model = TwoHeads(forget=broken)
    return Job(model, torch.optim.SGD(model.parameters(), 0.1), data())


class Cut(nn.Module):
    """An encoder whose output a decoder takes as it is, as data, or under no_grad."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.encoder, self.decoder = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, 8] to [rows, 4]."""
        if self.way == "no_grad":
            with torch.no_grad():  # <- no_grad
                h = torch.tanh(self.encoder(x))
        else:
            h = torch.tanh(self.encoder(x))
        if self.way == "data":
            h = h.data  # <- cut
        return self.decoder(h)  # type: ignore[no-any-return]


def cut(broken: bool) -> Job:
    """The graph is cut by .data."""
    model = Cut("data" if broken else "")
    return Job(model, torch.optim.SGD(model.parameters(), 0.1), data())


def no_grad(broken: bool) -> Job:
    """A part of the forward runs under no_grad."""
    model = Cut("no_grad" if broken else "")
    return Job(model, torch.optim.SGD(model.parameters(), 0.1), data())


def from_item(broken: bool) -> Job:
    """The loss is rebuilt from numbers."""
    model, batch = network(), data()

    def objective() -> Tensor:
        loss = F.mse_loss(model(batch[0]), batch[1])
        if broken:
            loss = torch.tensor(loss.item(), requires_grad=True)  # <- from_item
        return loss

    return Job(model, torch.optim.SGD(model.parameters(), 0.1), batch, objective=objective)


def masked(broken: bool) -> Job:
    """A mask of zeros hides a whole head."""

    class Masked(TwoHeads):
        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(self.body(x))
            mask = torch.zeros(4) if broken else torch.ones(4)
            hidden: Tensor = self.second(h) * mask  # <- masked
            return self.first(h) + hidden  # type: ignore[no-any-return]

    model = Masked(forget=False)
    return Job(model, torch.optim.SGD(model.parameters(), 0.1), data())


def no_backward(broken: bool) -> Job:
    """Nobody calls backward."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def iterate() -> None:
        optimizer.zero_grad()
        loss = F.mse_loss(model(batch[0]), batch[1])  # <- no_backward
        if not broken:
            loss.backward()
        optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


def head_replaced(broken: bool) -> Job:
    """A head is replaced after the optimizer was made."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model[2] = nn.Linear(16, 4)
    if not broken:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return Job(model, optimizer, data())


def holds_none(broken: bool) -> Job:
    """The optimizer holds a copy's parameters."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return Job(copy.deepcopy(model) if broken else model, optimizer, data())


def holds_frozen(broken: bool) -> Job:
    """The optimizer holds only what is frozen."""
    model = network()
    model[0].requires_grad_(False)
    held = model[0] if broken else model[2]
    optimizer = torch.optim.SGD(held.parameters(), 0.1)
    return Job(model, optimizer, data(), frozen=["0.*"], trains=["2.*"])


def never_steps(broken: bool) -> Job:
    """Gradients are computed, and step is never called."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        if not broken:
            optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


class CopyingSGD(torch.optim.SGD):
    """Writes the update into a copy, as a kernel for contiguous memory did."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update what it should not."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.clone().sub_(parameter.grad, alpha=group["lr"])


def into_a_copy(broken: bool) -> Job:
    """The step runs, and its update lands in a copy."""
    model = network()
    kind = CopyingSGD if broken else torch.optim.SGD
    return Job(model, kind(model.parameters(), 0.1), data())


def lr_zero(broken: bool) -> Job:
    """The learning rate is 0."""
    model = network()
    return Job(model, torch.optim.Adam(model.parameters(), 0.0 if broken else 0.01), data())


def lr_tiny(broken: bool) -> Job:
    """The learning rate is far too small."""
    model = network()
    return Job(model, torch.optim.Adam(model.parameters(), 1e-10 if broken else 1e-3), data())


def schedule_ends(broken: bool) -> Job:
    """A schedule reaches 0 long before the run ends."""
    model, batch = network(), data()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    steps = 10 if broken else 10_000
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()
        schedule.step()

    return Job(model, optimizer, batch, iterate=iterate)


def clipped_away(broken: bool) -> Job:
    """Gradients are clipped to nothing."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    most = 0.0 if broken else 1.0

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), most)  # <- clipped_away
        optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


def never_cleared(broken: bool) -> Job:
    """zero_grad is missing."""
    model, batch = network(), data()
    optimizer = torch.optim.SGD(model.parameters(), 0.001)

    def iterate() -> None:
        if not broken:
            optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


class ForgetfulAdam(torch.optim.Adam):
    """Skips its update once gradients were None, as a compiled step did (pytorch#115607)."""

    skips = False

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update, unless a first call without gradients has been baked in."""
        params = [p for group in self.param_groups for p in group["params"]]
        self.skips |= all(parameter.grad is None for parameter in params)
        if not self.skips:
            super().step()


def baked_in(broken: bool) -> Job:
    """A compiled step goes on skipping after a first call without gradients."""
    model = network()
    optimizer = ForgetfulAdam(model.parameters(), 0.01)
    if broken:
        optimizer.step()
    return Job(model, optimizer, data())


def still_trains(broken: bool) -> Job:
    """A part that is meant to be frozen trains."""
    model = network()
    if not broken:
        model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return Job(model, optimizer, data(), frozen=["0.*"], trains=["2.*"])


def statistics_move(broken: bool) -> Job:
    """train() undoes the freeze of a backbone: its running statistics move."""
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 4))
    model[:2].requires_grad_(False)
    optimizer = torch.optim.SGD(model[3].parameters(), 0.1)
    model.train()
    if not broken:
        model[1].eval()
    trains = ["3.*"]
    return Job(model, optimizer, data(), frozen=["0", "1"], frozen_stats=["1"], trains=trains)


class LoraLinear(nn.Module):
    """A linear layer with a low-rank adapter beside it, named as PEFT names it."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(8, 8)
        self.lora_A, self.lora_B = nn.Linear(8, 1, bias=False), nn.Linear(1, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, 8] to [rows, 8]."""
        return self.base_layer(x) + self.lora_B(self.lora_A(x))  # type: ignore[no-any-return]


def lora(*, base: bool = False, adapter: bool = True, held: bool = True) -> Job:
    """Make a job that fine-tunes by adapters; ``base``, ``adapter``: trainable; ``held``: by the
    optimizer."""
    model = nn.Sequential(LoraLinear(), nn.Tanh(), LoraLinear())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(adapter if "lora" in name else base)
    batch = torch.randn(32, 8), torch.randn(32, 8)
    held_ones = [p for n, p in model.named_parameters() if held or "2.lora" not in n]
    optimizer = torch.optim.SGD(held_ones, 0.1)
    trains, frozen = ["*.lora_*"], ["*.base_layer.*"]
    return Job(model, optimizer, batch, trains=trains, frozen=frozen, share=(0.01, 0.4))


def lora_base(broken: bool) -> Job:
    """The base of a LoRA model is not frozen."""
    return lora(base=broken)


def lora_frozen(broken: bool) -> Job:
    """The adapters of a LoRA model are frozen."""
    job = lora(adapter=not broken)
    if broken:  # something has to carry a gradient, or nothing runs at all
        head = nn.Linear(8, 8)
        job.model.add_module("3", head)
        job.optimizer.add_param_group({"params": list(head.parameters())})
        job.share = None
    return job


def lora_loose(broken: bool) -> Job:
    """An adapter of a LoRA model is not in the optimizer."""
    return lora(held=not broken)


class Root(nn.Module):
    """Ends in a length, whose derivative at zero is not finite."""

    def __init__(self, *, safe: bool) -> None:
        super().__init__()
        self.safe = safe
        self.layer, self.head = nn.Linear(8, 16, bias=False), nn.Linear(1, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, 8] to [rows, 4]."""
        square = self.layer(x).square().sum(-1, keepdim=True)
        if self.safe:
            square = square + 1e-6
        length = torch.sqrt(square)  # <- nan_backward
        return self.head(length)  # type: ignore[no-any-return]


def nan_backward(broken: bool) -> Job:
    """A gradient is NaN behind a finite forward."""
    model = Root(safe=not broken)
    batch = data()
    batch[0][3] = 0.0
    return Job(model, torch.optim.SGD(model.parameters(), 0.01), batch)


def nan_later(broken: bool) -> Job:
    """A gradient is NaN only after some steps."""
    model, batch = Root(safe=not broken), data()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    seen = {"batches": 0}

    def iterate() -> None:
        seen["batches"] += 1
        if seen["batches"] == 12:
            batch[0][3] = 0.0
        optimizer.zero_grad()
        F.mse_loss(model(batch[0]), batch[1]).backward()
        optimizer.step()

    return Job(model, optimizer, batch, iterate=iterate)


class Logarithm(nn.Module):
    """Takes a logarithm of what may be negative."""

    def __init__(self, *, safe: bool) -> None:
        super().__init__()
        self.safe = safe
        self.layer, self.head = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map [rows, 8] to [rows, 4]."""
        h = self.layer(x)
        h = F.softplus(h) if self.safe else h
        h = torch.log(h)  # <- nan_forward
        return self.head(h)  # type: ignore[no-any-return]


def nan_forward(broken: bool) -> Job:
    """A value of the forward is NaN."""
    model = Logarithm(safe=not broken)
    return Job(model, torch.optim.SGD(model.parameters(), 0.01), data())


def exploding(broken: bool) -> Job:
    """Gradients explode with depth: each layer makes them several times as large."""
    layers = [nn.Linear(16, 16) for _ in range(6)]
    model = nn.Sequential(nn.Linear(8, 16), *layers, nn.Linear(16, 4))
    if broken:
        with torch.no_grad():
            for layer in layers:
                layer.weight.mul_(8.0)
    return Job(model, torch.optim.SGD(model.parameters(), 1e-9 if broken else 1e-3), data())


def vanishing(broken: bool) -> Job:
    """Gradients vanish with depth."""
    activation = nn.Sigmoid if broken else nn.Tanh
    model = nn.Sequential(nn.Linear(8, 16))
    for _ in range(24 if broken else 2):
        model.extend([activation(), nn.Linear(16, 16)])
    model.append(nn.Linear(16, 4))
    return Job(model, torch.optim.Adam(model.parameters(), 1e-3), data())


def rectified(dead: int) -> Job:
    """Make a job of 64 rectified units of which ``dead`` never fire."""
    layer = nn.Linear(8, 64)
    with torch.no_grad():
        layer.bias[:dead] = -100.0
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(64, 4))
    return Job(model, torch.optim.SGD(model.parameters(), 0.01), data())


def all_dead(broken: bool) -> Job:
    """All units of a layer are dead."""
    return rectified(64 if broken else 0)


def some_dead(broken: bool) -> Job:
    """A part of the units of a layer is dead."""
    return rectified(37 if broken else 0)


class Doubled(torch.autograd.Function):
    """Twice the input, with a derivative of three or of two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        """Double [any shape]."""
        ctx.factor = factor
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Multiply by the factor."""
        return ctx.factor * grads[0], None


def wrong_backward(broken: bool) -> Job:
    """The backward of a custom function is wrong."""

    doubled: Callable[[Tensor, float], Tensor] = Doubled.apply

    class Custom(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            h = self[0](x)
            h = doubled(h, 3.0 if broken else 2.0)  # <- wrong_backward
            return self[1](h)  # type: ignore[no-any-return]

    model = Custom(nn.Linear(8, 16), nn.Linear(16, 4))
    return Job(model, torch.optim.SGD(model.parameters(), 0.01), data())


BUGS = (
    Bug("never_called", "layer made, never called", never_called),
    Bug("cut", "graph cut by `.data`", cut),
    Bug("no_grad", "forward under `no_grad`", no_grad),
    Bug("from_item", "loss rebuilt from `.item()`", from_item),
    Bug("masked", "all-zero gradient behind a mask", masked),
    Bug("no_backward", "no `backward()` at all", no_backward, by_explain=False),
    Bug(
        "head_replaced", "head replaced after the optimizer was made", head_replaced, has_line=False
    ),
    Bug("holds_none", "optimizer holds a copy's parameters", holds_none, has_line=False),
    Bug("holds_frozen", "optimizer holds only what is frozen", holds_frozen, has_line=False),
    Bug("never_steps", "`step()` never called", never_steps, has_line=False, by_explain=False),
    Bug("into_a_copy", "update lands in a copy", into_a_copy, has_line=False, by_explain=False),
    Bug("lr_zero", "learning rate 0", lr_zero, has_line=False),
    Bug("lr_tiny", "learning rate far too small", lr_tiny, has_line=False, by_explain=False),
    Bug("schedule_ends", "schedule reaches 0 too early", schedule_ends, False, False),
    Bug("clipped_away", "gradient clipped to nothing", clipped_away, by_explain=False),
    Bug("never_cleared", "`zero_grad()` missing", never_cleared, False, False),
    Bug("baked_in", "compiled step goes on skipping", baked_in, False, False),
    Bug("still_trains", "a part meant to be frozen trains", still_trains, False, False),
    Bug("statistics_move", "`train()` undoes frozen statistics", statistics_move, False, False),
    Bug("lora_base", "LoRA base not frozen", lora_base, False, False),
    Bug("lora_frozen", "LoRA adapter frozen", lora_frozen, has_line=False),
    Bug("lora_loose", "LoRA adapter not in the optimizer", lora_loose, has_line=False),
    Bug("nan_backward", "NaN gradient behind a finite forward", nan_backward),
    Bug("nan_later", "NaN gradient only after some steps", nan_later, False, False),
    Bug("nan_forward", "NaN in the forward", nan_forward),
    Bug("exploding", "exploding gradient", exploding, False, False),
    Bug("vanishing", "vanishing gradient", vanishing, False, False),
    Bug("all_dead", "all units dead", all_dead, has_line=False),
    Bug("some_dead", "a part of the units dead", some_dead, False, False),
    Bug("wrong_backward", "custom `backward()` is wrong", wrong_backward),
)
