"""Training loops whose steps do not do to the weights what was meant, and healthy ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR
from torch.optim.swa_utils import AveragedModel

from .case import classes, inputs, layers, markers
from .whole_runs import Loop, classifier, usual

FIRST = "0.weight", "0.bias"


@dataclass(frozen=True)
class UpdateCase:
    """A loop, what its run tells of which parameter, and where; None is the run as a whole.

    The line is marked ``# <- name``.
    """

    build: Callable[[], Loop]
    alerts: Mapping[str | None, str] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    """Causes that are told as notes."""
    says: str = ""
    """A part of each sentence."""
    iterations: int = 16

    def __str__(self) -> str:
        return self.build.__name__

    def loop(self) -> Loop:
        """The loop, made afresh, the same every time."""
        torch.manual_seed(0)
        return self.build()

    @property
    def place(self) -> str | None:
        """The line that is to be named, None where there is none."""
        mine = [m for m in markers(Path(__file__)) if m.case == self.build.__name__]
        return mine[0].place if mine else None


def all_layers(cause: str) -> dict[str | None, str]:
    return dict(layers(cause, "0", "2"))


def loop_of(model: nn.Module, optimizer: Optimizer, step: Callable[[], object]) -> Loop:
    """The everyday iteration with a step of its own."""
    x, y = inputs(), classes()
    dtype = next(model.parameters()).dtype

    def iterate() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x.to(dtype)).float(), y).backward()
        step()

    return Loop(model, optimizer, iterate)


# not_moving


def rate_of_zero() -> Loop:
    model = classifier()
    optimizer = Adam(model.parameters(), lr=0.0)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- rate_of_zero


def rate_set_to_zero_by_hand() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    made = iter(range(100))

    def step() -> None:
        if next(made) == 3:
            for group in optimizer.param_groups:
                group["lr"] = 0.0
        optimizer.step()  # <- rate_set_to_zero_by_hand

    return loop_of(model, optimizer, step)


def rate_of_an_integer_division() -> Loop:
    """1 // 10 is 0, for each group."""
    model = classifier()
    groups = [{"params": layer.parameters(), "lr": 1 // 10} for layer in (model[0], model[2])]
    optimizer = AdamW(groups)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- rate_of_an_integer_division


def weights_in_bfloat16() -> Loop:
    model = classifier().bfloat16()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(parameter.sign())
    optimizer = AdamW(model.parameters(), lr=1e-5, weight_decay=0)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- weights_in_bfloat16


def scales_in_float16() -> Loop:
    """The scales of a norm begin with ones, around which floats are far apart."""
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3)).half()
    optimizer = SGD(model.parameters(), lr=1e-3)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- scales_in_float16


def embedding_in_bfloat16() -> Loop:
    model = nn.Sequential(nn.Embedding(5, 8, dtype=torch.bfloat16), nn.Linear(8, 3).bfloat16())
    optimizer = SGD(
        [
            {"params": model[0].parameters(), "lr": 1e-4},
            {"params": model[1].parameters(), "lr": 0.1},
        ],
        momentum=0.9,
    )
    words, y = torch.arange(8) % 5, classes()
    with torch.no_grad():
        model[0].weight.add_(4 * model[0].weight.sign())  # type: ignore[operator, union-attr]

    def iterate() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(words).float(), y).backward()
        optimizer.step()  # <- embedding_in_bfloat16

    return Loop(model, optimizer, iterate)


class Master(Optimizer):
    """Steps copies in float64, which nothing copies back."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})  # type: ignore[arg-type]
        self.masters: dict[int, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                master = self.masters.setdefault(id(parameter), parameter.double())
                master -= group["lr"] * parameter.grad


def step_of_masters() -> Loop:
    model = classifier()
    optimizer = Master(model.parameters(), 0.1)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- step_of_masters


class OutOfPlace(Optimizer):
    """Computes the new weights, and drops them."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter = parameter - group["lr"] * parameter.grad


def step_out_of_place() -> Loop:
    model = classifier()
    optimizer = OutOfPlace(model.parameters(), 0.1)
    return loop_of(model, optimizer, lambda: optimizer.step())  # <- step_out_of_place


class Known(SGD):
    """Remembers which parameters had a gradient in its first step, and steps no others."""

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        if not hasattr(self, "known"):
            every = [p for group in self.param_groups for p in group["params"]]
            self.known = [p for p in every if p.grad is not None]
        with torch.no_grad():
            for parameter in self.known:
                assert parameter.grad is not None
                parameter -= 0.1 * parameter.grad


def step_that_learnt_too_early() -> Loop:
    """As a compiled step that was traced while the encoder had no gradient."""
    model = classifier()
    optimizer = Known(model.parameters(), 0.1)
    made = iter(range(100))

    def step() -> None:
        if next(made) == 0:
            model[0].zero_grad()
        optimizer.step()  # <- step_that_learnt_too_early

    return loop_of(model, optimizer, step)


def best_weights_loaded_each_time() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    best = copy.deepcopy(model.state_dict())

    def step() -> None:
        optimizer.step()  # <- best_weights_loaded_each_time
        model.load_state_dict(best)

    return loop_of(model, optimizer, step)


def average_swapped_in_and_not_out() -> Loop:
    model = classifier()
    optimizer = Adam(model.parameters(), lr=0.1)
    average = AveragedModel(model)

    def step() -> None:
        optimizer.step()  # <- average_swapped_in_and_not_out
        for mine, kept in zip(model.parameters(), average.module.parameters(), strict=True):
            mine.data.copy_(kept.data)

    return loop_of(model, optimizer, step)


def encoder_reset_by_its_forward() -> Loop:
    """A constant that was meant for the start is written before each forward."""
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    with torch.no_grad():
        nn.init.eye_(model[0].weight)  # type: ignore[arg-type]

    def step() -> None:
        optimizer.step()  # <- encoder_reset_by_its_forward
        with torch.no_grad():
            nn.init.eye_(model[0].weight)  # type: ignore[arg-type]

    return loop_of(model, optimizer, step)


def clipped_to_nothing() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)

    def step() -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 1e-12)
        optimizer.step()  # <- clipped_to_nothing

    return loop_of(model, optimizer, step)


def scaler_that_always_skips() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    x, y = inputs(), classes()

    def iterate() -> None:
        optimizer.zero_grad()
        spread = (model[0].bias - model[0].bias.detach()).norm()  # type: ignore[union-attr, operator]
        loss = F.cross_entropy(model(x), y) + spread.sqrt()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return Loop(model, optimizer, iterate)


def schedule_that_ends_early() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    schedule = LambdaLR(optimizer, lambda n: max(0.0, 1 - n / 5))  # <- schedule_that_ends_early

    def step() -> None:
        optimizer.step()
        schedule.step()

    return loop_of(model, optimizer, step)


def schedule_that_is_never_stepped() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    ramp = lambda n: min(1.0, n / 5)  # noqa: E731  # <- schedule_that_is_never_stepped
    schedule = LambdaLR(optimizer, ramp)
    loop = usual(model, optimizer)
    return Loop(model, optimizer, lambda: (schedule, loop.iterate()))


# moved_without_gradient


def frozen_over_zeros() -> Loop:
    """Zeros that an earlier step has left are enough for AdamW's decay."""
    model = classifier()
    optimizer = AdamW(model.parameters(), lr=0.01)
    x, y = inputs(), classes()
    made = iter(range(100))

    def iterate() -> None:
        if next(made) == 3:
            model[0].requires_grad_(False)
        optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # <- frozen_over_zeros

    return Loop(model, optimizer, iterate)


def frozen_with_momentum() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.99)
    x, y = inputs(), classes()
    made = iter(range(100))

    def iterate() -> None:
        if next(made) == 4:
            model[0].requires_grad_(False)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # <- frozen_with_momentum

    return Loop(model, optimizer, iterate)


def frozen_over_its_last_gradient() -> Loop:
    """Only what is trained is cleared, and the last gradient of what is frozen stays."""
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.01)
    x, y = inputs(), classes()
    made = iter(range(100))

    def iterate() -> None:
        if next(made) == 2:
            model[0].requires_grad_(False)
        for parameter in filter(lambda p: p.requires_grad, model.parameters()):
            parameter.grad = None
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # <- frozen_over_its_last_gradient

    return Loop(model, optimizer, iterate)


# not_cleared


def never_cleared() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.01)
    x, y = inputs(), classes()

    def iterate() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # <- never_cleared

    return Loop(model, optimizer, iterate)


def cleared_once_before_the_loop() -> Loop:
    model = classifier()
    optimizer = Adam(model.parameters())
    optimizer.zero_grad()
    x, y = inputs(), classes()

    def iterate() -> None:
        for rows, labels in zip(x.split(4), y.split(4), strict=True):
            F.cross_entropy(model(rows), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()  # <- cleared_once_before_the_loop

    return Loop(model, optimizer, iterate)


def cleared_in_part() -> Loop:
    """The head was added to the optimizer, and not to what is cleared."""
    model = classifier()
    optimizer = AdamW(model.parameters(), lr=0.01)
    x, y = inputs(), classes()

    def iterate() -> None:
        model[0].zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()  # <- cleared_in_part

    return Loop(model, optimizer, iterate)


# Healthy


def warm_up_from_zero() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    schedule = LambdaLR(optimizer, lambda step: min(1.0, step / 5))

    def step() -> None:
        optimizer.step()
        schedule.step()

    return loop_of(model, optimizer, step)


def cosine_with_a_warm_up() -> Loop:
    model = classifier()
    optimizer = AdamW(model.parameters(), lr=0.1)
    schedules = [LinearLR(optimizer, 0.1, total_iters=4), CosineAnnealingLR(optimizer, 16)]

    def step() -> None:
        optimizer.step()
        for schedule in schedules:
            schedule.step()

    return loop_of(model, optimizer, step)


def momentum_encoder() -> Loop:
    """As in MoCo: keys come from an average of the encoder, in the same module."""
    encoder = nn.Linear(6, 8)
    model = nn.ModuleDict({"query": encoder, "key": copy.deepcopy(encoder).requires_grad_(False)})
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    x = inputs()

    def iterate() -> None:
        optimizer.zero_grad()
        queries, keys = model["query"](x), model["key"](x + 0.1)
        F.cross_entropy(queries @ keys.T, torch.arange(8)).backward()
        optimizer.step()
        for key, query in zip(model["key"].parameters(), model["query"].parameters(), strict=True):
            key.data = key.data * 0.9 + query.data * 0.1

    return Loop(model, optimizer, iterate)


def only_norms_train() -> Loop:
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    return usual(model, SGD(model.parameters(), lr=0.1, weight_decay=0.1))


def accumulated_and_cleared_in_place() -> Loop:
    model = classifier()
    optimizer = AdamW(model.parameters())
    x, y = inputs(), classes()

    def iterate() -> None:
        for rows, labels in zip(x.split(4), y.split(4), strict=True):
            F.cross_entropy(model(rows), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return Loop(model, optimizer, iterate)


def cleared_through_data() -> Loop:
    """A write that PyTorch does not count."""
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def iterate() -> None:
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.data.zero_()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return Loop(model, optimizer, iterate)


def adversaries_that_clear_late() -> Loop:
    """The generator's backward adds to gradients that the discriminator has applied already."""
    generator, discriminator = nn.Linear(4, 6), classifier()
    optimizers = [SGD(generator.parameters(), 0.1), SGD(discriminator.parameters(), 0.1)]
    real, noise = inputs(), torch.randn(8, 4)

    def iterate() -> None:
        optimizers[1].zero_grad(set_to_none=False)
        fake = discriminator(generator(noise).detach())
        F.softplus(fake - discriminator(real)).mean().backward()
        optimizers[1].step()
        optimizers[0].zero_grad(set_to_none=False)
        F.softplus(-discriminator(generator(noise))).mean().backward()
        optimizers[0].step()

    return Loop({"g": generator, "d": discriminator}, optimizers, iterate)


def closures() -> Loop:
    model = classifier()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    x, y = inputs(), classes()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    return Loop(model, optimizer, lambda: optimizer.step(closure))  # type: ignore[arg-type]


def average_of_the_weights() -> Loop:
    """As in stochastic weight averaging: the average is attached with the model."""
    model = classifier()
    average = AveragedModel(model).requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.step()
        average.update_parameters(model)

    loop = loop_of(model, optimizer, step)
    return Loop({"model": model, "average": average}, optimizer, loop.iterate)


def experts_in_turn() -> Loop:
    """An expert that gets no row in a step has no gradient, and moves in the next."""
    model = nn.ModuleDict({"a": nn.Linear(6, 3), "b": nn.Linear(6, 3)})
    optimizer = AdamW(model.parameters(), lr=0.01)
    x, y = inputs(), classes()
    made = iter(range(1000))

    def iterate() -> None:
        optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(model["a" if next(made) % 3 else "b"](x), y).backward()
        optimizer.step()

    return Loop(model, optimizer, iterate)


def group_that_rests() -> Loop:
    """A group with a rate of 0 is a way to freeze it, and nobody expects it to train."""
    model = classifier()
    groups = [
        {"params": model[0].parameters(), "lr": 0.0},
        {"params": model[2].parameters(), "lr": 0.1},
    ]
    return usual(model, SGD(groups))


def critic_of_five_steps() -> Loop:
    """A generator that steps once in five steps of its critic, with what that leaves in place."""
    generator, critic = nn.Linear(4, 6), classifier()
    optimizers = [Adam(generator.parameters(), 1e-3), Adam(critic.parameters(), 1e-3)]

    def iterate() -> None:
        for _ in range(5):
            optimizers[1].zero_grad()
            made = generator(torch.randn(8, 4)).detach()
            (critic(made).square().mean() - critic(inputs() + 1).mean()).backward()
            optimizers[1].step()
        optimizers[0].zero_grad()
        critic(generator(torch.randn(8, 4))).square().mean().backward()
        optimizers[0].step()

    return Loop({"generator": generator, "critic": critic}, optimizers, iterate)


def scale_kept_in_a_range() -> Loop:
    """The temperature of a contrastive loss, at the end of its range."""
    model = classifier()
    model.register_parameter("scale", nn.Parameter(torch.tensor(4.6)))
    optimizer, x = AdamW(model.parameters(), lr=0.01), inputs()

    def iterate() -> None:
        optimizer.zero_grad()
        features = F.normalize(model(x), dim=1)
        F.cross_entropy(model.scale.exp() * features @ features.T, torch.arange(8)).backward()
        optimizer.step()
        with torch.no_grad():
            model.scale.clamp_(0, 4.6)

    return Loop(model, optimizer, iterate)


def weights_clipped_to_a_range() -> Loop:
    """All of a small layer ends at the ends of it."""
    model, x = classifier(), inputs()
    optimizer = SGD(model.parameters(), lr=0.5)

    def iterate() -> None:
        optimizer.zero_grad()
        (model(x + 1).mean() - model(x - 1).mean()).backward()
        optimizer.step()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.clamp_(-0.05, 0.05)

    return Loop(model, optimizer, iterate)


def gradients_set_by_hand() -> Loop:
    """What ``autograd.grad`` returns is put in place of what was applied."""
    model, x, y = classifier(), inputs(), classes()
    optimizer = Adam(model.parameters(), lr=0.01)

    def iterate() -> None:
        loss = F.cross_entropy(model(x), y)
        for parameter, grad in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            parameter.grad = grad
        optimizer.step()

    return Loop(model, optimizer, iterate)


def bias_before_a_norm() -> Loop:
    """It has no effect, and so no gradient but rounding; the rest is clipped in each step."""
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = SGD(model.parameters(), lr=0.01)

    def step() -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()

    return loop_of(model, optimizer, step)


def margins_that_are_met() -> Loop:
    """Batches in which the loss asks for nothing, behind others in which it did."""
    model, made = classifier(), iter(range(1000))
    optimizer = Adam(model.parameters(), lr=0.01)

    def iterate() -> None:
        optimizer.zero_grad()
        margin = 10.0 if next(made) < 4 else -10.0
        F.relu(margin - model(inputs())).mean().backward()
        optimizer.step()

    return Loop(model, optimizer, iterate)


STILL, MOVES, PILES = "not_moving", "moved_without_gradient", "not_cleared"
FROZEN = dict.fromkeys(FIRST, MOVES)

BROKEN: tuple[UpdateCase, ...] = (
    UpdateCase(rate_of_zero, all_layers(STILL), says="is 0"),
    UpdateCase(rate_set_to_zero_by_hand, all_layers(STILL), says="is 0"),
    UpdateCase(rate_of_an_integer_division, all_layers(STILL), says="is 0"),
    UpdateCase(weights_in_bfloat16, all_layers(STILL), says="spacing of bfloat16"),
    UpdateCase(
        scales_in_float16, {"1.weight": STILL}, frozenset({STILL}), says="spacing of float16"
    ),
    UpdateCase(embedding_in_bfloat16, {"0.weight": STILL}, says="spacing of bfloat16"),
    UpdateCase(step_of_masters, all_layers(STILL), says="wrote nothing"),
    UpdateCase(step_out_of_place, all_layers(STILL), says="wrote nothing"),
    UpdateCase(step_that_learnt_too_early, dict.fromkeys(FIRST, STILL), says="wrote nothing"),
    UpdateCase(best_weights_loaded_each_time, all_layers(STILL), says="puts the old bits back"),
    UpdateCase(average_swapped_in_and_not_out, all_layers(STILL), says="puts the old bits back"),
    UpdateCase(encoder_reset_by_its_forward, {"0.weight": STILL}, says="puts the old bits back"),
    UpdateCase(clipped_to_nothing, all_layers(STILL), says="clipped to a norm of 1e-12"),
    UpdateCase(scaler_that_always_skips, {None: STILL}, says="skipped each", iterations=24),
    UpdateCase(
        schedule_that_ends_early, notes=frozenset({STILL}), says="since step 6", iterations=18
    ),
    UpdateCase(
        schedule_that_is_never_stepped, notes=frozenset({STILL}), says="at 0 since the first step"
    ),
    UpdateCase(frozen_over_zeros, FROZEN, says="weight decay of 0.01"),
    UpdateCase(frozen_with_momentum, FROZEN, says="momentum"),
    UpdateCase(frozen_over_its_last_gradient, FROZEN, says="applied again"),
    UpdateCase(never_cleared, {None: PILES}, says="SGD.step()"),
    UpdateCase(cleared_once_before_the_loop, {None: PILES}, says="Adam.step()"),
    UpdateCase(cleared_in_part, {"2.weight": PILES}, says="2 parameters"),
)

HEALTHY = tuple(
    map(
        UpdateCase,
        (
            warm_up_from_zero,
            cosine_with_a_warm_up,
            only_norms_train,
            accumulated_and_cleared_in_place,
            cleared_through_data,
            adversaries_that_clear_late,
            closures,
            critic_of_five_steps,
            gradients_set_by_hand,
        ),
    )
) + tuple(
    UpdateCase(build, notes=frozenset({cause}))
    for build, cause in (
        (momentum_encoder, MOVES),
        (average_of_the_weights, MOVES),
        (experts_in_turn, MOVES),
        (group_that_rests, STILL),
        (scale_kept_in_a_range, STILL),
        (weights_clipped_to_a_range, STILL),
        (bias_before_a_norm, STILL),
        (margins_that_are_met, MOVES),
    )
)
"""What is told of a healthy one is a note at most: an average, a rate of 0 for a part."""
