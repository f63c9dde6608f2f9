"""Training loops of which something is wrong as a whole, and healthy ones that look like them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from gradgate.probe.live.no_steps import PATIENCE

from .case import classes, inputs

NOT_HELD, NO_STEP = "not_in_optimizer", "no_step"


@dataclass(frozen=True)
class Loop:
    """What is attached, and one iteration of its training."""

    model: nn.Module | Mapping[str, nn.Module]
    optimizer: Optimizer | Sequence[Optimizer] | None
    iterate: Callable[[], object]


@dataclass(frozen=True)
class RunCase:
    """A loop, and the causes that its run has to tell unasked, none for a healthy one."""

    build: Callable[[], Loop]
    causes: frozenset[str] = frozenset()
    iterations: int = 6
    expect: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.build.__name__

    def loop(self) -> Loop:
        """The loop, made afresh, the same every time."""
        torch.manual_seed(0)
        return self.build()


def classifier() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def usual(model: nn.Module, optimizer: Optimizer) -> Loop:
    """The everyday iteration."""
    x, y = inputs(), classes()

    def iterate() -> None:
        optimizer.zero_grad()
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return Loop(model, optimizer, iterate)


def assigned_after_the_optimizer() -> Loop:
    model = classifier()
    optimizer = Adam(model.parameters())
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(weights, assign=True)
    return usual(model, optimizer)


def every_layer_replaced_after_the_optimizer() -> Loop:
    model = classifier()
    optimizer = AdamW(model.parameters())
    model[0], model[2] = nn.Linear(6, 12), nn.Linear(12, 3)
    return usual(model, optimizer)


def optimizer_of_the_copy_that_was_kept() -> Loop:
    model = classifier()
    best = copy.deepcopy(model)
    return usual(model, SGD(best.parameters(), lr=0.1, momentum=0.9))


def optimizer_of_what_is_frozen() -> Loop:
    model = classifier()
    model[0].requires_grad_(False)
    return usual(model, SGD(model[0].parameters(), lr=0.1))


def cast_into_new_parameters_after_the_optimizer() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    for layer in (model[0], model[2]):
        for name, parameter in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(parameter.detach().float()))
    return usual(model, optimizer)


def discriminator_rebuilt_after_its_optimizer() -> Loop:
    """One of two optimizers has nothing to do."""
    generator, discriminator = nn.Linear(4, 6), classifier()
    optimizers = [SGD(generator.parameters(), 0.1), SGD(discriminator.parameters(), 0.1)]
    discriminator = classifier()
    return _adversarial(generator, discriminator, optimizers)


def _adversarial(
    generator: nn.Module, discriminator: nn.Module, optimizers: Sequence[Optimizer]
) -> Loop:
    real, noise = inputs(), torch.randn(8, 4)

    def iterate() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        F.softplus(discriminator(generator(noise).detach()) - discriminator(real)).mean().backward()
        optimizers[1].step()
        optimizers[1].zero_grad()
        F.softplus(-discriminator(generator(noise))).mean().backward()
        optimizers[0].step()

    return Loop({"g": generator, "d": discriminator}, optimizers, iterate)


def healthy_adversaries() -> Loop:
    generator, discriminator = nn.Linear(4, 6), classifier()
    optimizers = [SGD(generator.parameters(), 0.1), SGD(discriminator.parameters(), 0.1)]
    return _adversarial(generator, discriminator, optimizers)


def master_copies_in_a_wider_type() -> Loop:
    """As in mixed precision by hand: the optimizer holds none of the model's parameters."""
    model = classifier()
    parameters = list(model.parameters())
    masters = [p.detach().double().requires_grad_() for p in parameters]
    optimizer = SGD(masters, lr=0.1)
    x, y = inputs(), classes()

    def iterate() -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for master, parameter in zip(masters, parameters, strict=True):
            assert parameter.grad is not None
            master.grad = parameter.grad.double()
        optimizer.step()
        optimizer.zero_grad()
        for master, parameter in zip(masters, parameters, strict=True):
            parameter.data.copy_(master.data)

    return Loop(model, optimizer, iterate)


def a_prompt_through_a_model_that_stays() -> Loop:
    """The optimizer holds the input; nobody froze the model, and nobody trains it."""
    model = classifier()
    prompt = torch.zeros(8, 6, requires_grad=True)
    optimizer = Adam([prompt], lr=0.1)
    y = classes()

    def iterate() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(prompt), y).backward()
        optimizer.step()

    return Loop(model, optimizer, iterate)


def actor_with_a_temperature_and_targets() -> Loop:
    """As in soft actor-critic: the last optimizer holds a tensor of no model."""
    actor, critic = nn.Linear(6, 2), nn.Linear(6, 1)
    target = copy.deepcopy(critic)
    temperature = torch.zeros(1, requires_grad=True)
    optimizers = [
        SGD(actor.parameters(), 0.1),
        SGD(critic.parameters(), 0.1),
        SGD([temperature], 1),
    ]
    x = inputs()

    def iterate() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        (critic(x) - target(x).detach() - 1).square().mean().backward()
        (actor(x).square().mean() + temperature.square().sum() + temperature.sum()).backward()
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            for old, new in zip(target.parameters(), critic.parameters(), strict=True):
                old.lerp_(new, 0.1)

    return Loop({"actor": actor, "critic": critic, "target": target}, optimizers, iterate)


def teacher_beside_its_student() -> Loop:
    """The teacher is loose, requires gradients, and is moved by an average."""
    student = classifier()
    teacher = copy.deepcopy(student)
    optimizer = AdamW(student.parameters())
    x = inputs()

    def iterate() -> None:
        optimizer.zero_grad()
        F.mse_loss(student(x), teacher(x).detach() + 1).backward()
        optimizer.step()

    return Loop({"student": student, "teacher": teacher}, optimizer, iterate)


def step_forgotten() -> Loop:
    model = classifier()
    x, y = inputs(), classes()

    def iterate() -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()

    return Loop(model, SGD(model.parameters(), lr=0.1), iterate)


def stepped_by_hand_and_not_told() -> Loop:
    """Gradient descent as in the first lesson, through ``.data``, which counts no write."""
    model = classifier()
    x, y = inputs(), classes()

    def iterate() -> None:
        F.cross_entropy(model(x), y).backward()
        for parameter in model.parameters():
            parameter.data -= 0.1 * parameter.grad.data  # type: ignore[union-attr]
            parameter.grad = None

    return Loop(model, None, iterate)


def optimizer_made_anew_after_attaching() -> Loop:
    model = classifier()
    return Loop(
        model, SGD(model.parameters(), lr=0.1), usual(model, Adam(model.parameters())).iterate
    )


class Sharpness(SGD):
    """Steps by methods of its own, and by no optimizer's ``step``."""

    @torch.no_grad()
    def climb(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.add_(parameter.grad, alpha=0.05)
            self.state[parameter]["climbed"] = parameter.grad.clone()
        self.zero_grad()

    @torch.no_grad()
    def descend(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.sub_(self.state[parameter]["climbed"], alpha=0.05)
            parameter.sub_(parameter.grad, alpha=0.1)
        self.zero_grad()


def optimizer_that_steps_under_another_name() -> Loop:
    model = classifier()
    optimizer = Sharpness(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def iterate() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.climb()
        F.cross_entropy(model(x), y).backward()
        optimizer.descend()

    return Loop(model, optimizer, iterate)


class Around(Optimizer):
    """Shares the groups of the optimizer that it keeps, whose step it makes under another name."""

    def __init__(self, base: Optimizer) -> None:
        super().__init__([p for group in base.param_groups for p in group["params"]], {})
        self.keeps = {"base": base}
        self.param_groups = base.param_groups

    def descend(self) -> None:
        self.keeps["base"].step()
        self.zero_grad()


def optimizer_inside_another() -> Loop:
    model = classifier()
    optimizer = Around(Around(AdamW(model.parameters())))
    x, y = inputs(), classes()

    def iterate() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.keeps["base"].descend()  # type: ignore[attr-defined]

    return Loop(model, optimizer, iterate)


def gradients_of_many_batches() -> Loop:
    model = classifier()
    optimizer = SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def iterate() -> None:
        for _ in range(PATIENCE - 1):
            (F.cross_entropy(model(x), y) / PATIENCE).backward()
        optimizer.step()
        optimizer.zero_grad()

    return Loop(model, optimizer, iterate)


def generator_beside_a_critic_that_steps_more_often() -> Loop:
    """Only the generator's optimizer is attached."""
    generator, critic = nn.Linear(4, 6), nn.Linear(6, 1)
    ours, theirs = SGD(generator.parameters(), 0.1), SGD(critic.parameters(), 0.1)
    real, noise = inputs(), torch.randn(8, 4)

    def iterate() -> None:
        for _ in range(5):
            theirs.zero_grad()
            (critic(generator(noise).detach()) - critic(real)).mean().backward()
            theirs.step()
        ours.zero_grad()
        critic(generator(noise)).mean().neg().backward()
        ours.step()

    return Loop({"g": generator, "c": critic}, ours, iterate)


class Released(SGD):
    """Applies and drops each gradient as soon as it is there; its own step finds nothing left."""

    def __init__(self, model: nn.Module, lr: float = 0.1) -> None:
        super().__init__(model.parameters(), lr=lr)
        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(self.apply)

    @torch.no_grad()
    def apply(self, parameter: nn.Parameter) -> None:
        parameter.add_(parameter.grad, alpha=-0.1)
        parameter.grad = None


def released_and_stepped_as_usual() -> Loop:
    model = classifier()
    return usual(model, Released(model))


class LowMemory(Released):
    """Writes through ``.data``, and always one hook late, as LOMO does."""

    def __init__(self, model: nn.Module) -> None:
        SGD.__init__(self, model.parameters(), lr=0.1)
        self.held = list(model.parameters())
        for parameter in self.held:
            parameter.register_hook(self.fuse)

    def fuse(self, grad: Tensor | None) -> Tensor | None:
        for parameter in self.held:
            if parameter.grad is not None:
                parameter.data -= 0.1 * parameter.grad.data
                parameter.grad = None
        return grad


def released_by_the_hook_after_it() -> Loop:
    """Nothing but a backward is called, and one more update behind it."""
    model = classifier()
    optimizer = LowMemory(model)
    x, y = inputs(), classes()

    def iterate() -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.fuse(None)

    return Loop(model, optimizer, iterate)


def _one_for_each(model: nn.Module) -> None:
    for parameter in model.parameters():
        optimizer = AdamW([parameter])

        def apply(_: nn.Parameter, optimizer: Optimizer = optimizer) -> None:
            optimizer.step()
            optimizer.zero_grad()

        parameter.register_post_accumulate_grad_hook(apply)


def one_optimizer_for_each_parameter() -> Loop:
    """As in torch's tutorial, and none of them was given to the probe."""
    model = classifier()
    _one_for_each(model)
    x, y = inputs(), classes()
    return Loop(model, None, lambda: F.cross_entropy(model(x), y).backward())


def dummy_that_stands_for_an_optimizer_for_each() -> Loop:
    """As for layerwise GaLore: what the loop steps holds a tensor of no use."""
    model = classifier()
    _one_for_each(model)
    return usual(model, SGD([torch.zeros(1, 1)], lr=0.1))


RUNS = (
    *(
        RunCase(build, frozenset([NOT_HELD]))
        for build in (
            assigned_after_the_optimizer,
            every_layer_replaced_after_the_optimizer,
            optimizer_of_the_copy_that_was_kept,
            optimizer_of_what_is_frozen,
            cast_into_new_parameters_after_the_optimizer,
            discriminator_rebuilt_after_its_optimizer,
        )
    ),
    RunCase(step_forgotten, frozenset([NO_STEP]), iterations=PATIENCE),
    *(
        RunCase(build, frozenset([NO_STEP]))
        for build in (
            stepped_by_hand_and_not_told,
            optimizer_made_anew_after_attaching,
            optimizer_that_steps_under_another_name,
        )
    ),
    RunCase(optimizer_inside_another),
    *(
        RunCase(build, iterations=8, expect=("*",))
        for build in (
            released_and_stepped_as_usual,
            released_by_the_hook_after_it,
            one_optimizer_for_each_parameter,
            dummy_that_stands_for_an_optimizer_for_each,
        )
    ),
    RunCase(gradients_of_many_batches, iterations=2),
    RunCase(generator_beside_a_critic_that_steps_more_often),
    RunCase(healthy_adversaries),
    RunCase(master_copies_in_a_wider_type),
    RunCase(a_prompt_through_a_model_that_stays),
    RunCase(actor_with_a_temperature_and_targets),
    RunCase(teacher_beside_its_student),
)
