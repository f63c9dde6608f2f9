"""Losses inside of losses: inner steps whose outcome the outer loss is to be differentiated by."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from .case import Case, Job, layers

RATE = 0.1
X = torch.linspace(-1, 1, 64).reshape(16, 4)
Y = X.prod(1, keepdim=True)
DETACHED = layers("detached", "0", "2")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def support(model: nn.Module, weights: Mapping[str, Tensor]) -> Tensor:
    """The inner loss: on the examples to adapt to."""
    return F.mse_loss(functional_call(model, dict(weights), (X[:8],)), Y[:8])


def query(model: nn.Module, weights: Mapping[str, Tensor]) -> Tensor:
    """The outer loss: on the examples that are held back."""
    return F.mse_loss(functional_call(model, dict(weights), (X[8:],)), Y[8:])


def slopes(loss: Tensor, weights: Mapping[str, Tensor], *, create_graph: bool) -> dict[str, Tensor]:
    """The gradient of an inner loss, by name."""
    found = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph)
    return dict(zip(weights, found, strict=True))


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters())


def fast_weights_under_no_grad() -> Job:
    """The inner step is written as an optimizer would take it."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.named_parameters())
        slope = slopes(support(model, weights), weights, create_graph=True)
        with torch.no_grad():  # <- fast_weights_under_no_grad
            fast = {name: weights[name] - RATE * slope[name] for name in weights}
        for weight in fast.values():
            weight.requires_grad_()
        query(model, fast).backward()

    return Job(model, step, optimizer)


def fast_weights_of_data() -> Job:
    """Two inner steps, on the numbers of the weights."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        fast: dict[str, Tensor] = dict(model.named_parameters())
        for _ in range(2):
            slope = slopes(support(model, fast), fast, create_graph=False)
            for name, weight in fast.items():
                fast[name] = weight.data - RATE * slope[name]  # <- fast_weights_of_data
                fast[name].requires_grad_()
        query(model, fast).backward()

    return Job(model, step, optimizer)


def outer_loss_by_grad_too() -> Job:
    """Both losses are differentiated by ``autograd.grad``; the outer one finds nothing."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.named_parameters())
        slope = slopes(support(model, weights), weights, create_graph=False)
        fast = {}
        for name, weight in weights.items():
            moved = weight - RATE * slope[name]
            fast[name] = moved.detach().requires_grad_()  # <- outer_loss_by_grad_too
        loss = query(model, fast)
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        for weight, gradient in zip(weights.values(), found, strict=True):
            weight.grad = gradient

    return Job(model, step, optimizer)


def learner_is_a_deep_copy() -> Job:
    """The copy learns and is scored, and nobody hands its gradients back."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        learner = copy.deepcopy(model)  # <- learner_is_a_deep_copy
        inner = torch.optim.SGD(learner.parameters(), lr=RATE)
        F.mse_loss(learner(X[:8]), Y[:8]).backward()
        inner.step()
        inner.zero_grad()
        F.mse_loss(learner(X[8:]), Y[8:]).backward()

    return Job(model, step, optimizer)


def learner_has_the_state() -> Job:
    """A second network takes the weights over by its ``state_dict``."""
    model, learner = network(), network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        learner.zero_grad()
        state = model.state_dict()  # <- learner_has_the_state
        learner.load_state_dict(state)
        slope = torch.autograd.grad(F.mse_loss(learner(X[:8]), Y[:8]), list(learner.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(learner.parameters(), slope, strict=True):
                weight.sub_(RATE * gradient)
        F.mse_loss(learner(X[8:]), Y[8:]).backward()

    return Job(model, step, optimizer)


def slope_by_torch_func() -> Job:
    """As in the examples of ``torch.func``, whose weights are cut off first."""
    model = network()
    scale = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.Adam([*model.parameters(), scale])

    def step() -> None:
        optimizer.zero_grad()
        weights = {n: p.detach() for n, p in model.named_parameters()}  # <- slope_by_torch_func
        slope = grad(lambda each: support(model, each))(weights)
        fast = {name: weights[name] - RATE * slope[name] for name in weights}
        (scale * query(model, fast)).backward()

    return Job(model, step, optimizer)


class LearnedLoss(nn.Module):
    """A network, and a loss that is learned for its inner steps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        self.judge = nn.Linear(1, 1)


def learned_loss_of_no_use() -> Job:
    """The network trains to the first order; what made the inner loss does not train at all."""
    model = LearnedLoss()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.net.named_parameters())
        loss = model.judge(model.net(X[:8])).square().mean()
        slope = torch.autograd.grad(loss, list(weights.values()))  # <- learned_loss_of_no_use
        fast = {n: p - RATE * g for (n, p), g in zip(weights.items(), slope, strict=True)}
        query(model.net, fast).backward()

    return Job(model, step, optimizer)


class LearnedRates(nn.Module):
    """A network, and a learned rate for each of its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        rates = [torch.full_like(weight, RATE) for weight in self.net.parameters()]
        self.rates = nn.ParameterList(rates)


def learned_rates_as_numbers() -> Job:
    """One learned rate for all, and only its numbers are used."""
    model = LearnedRates()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.net.named_parameters())
        slope = slopes(support(model.net, weights), weights, create_graph=True)
        rates = [rate.data for rate in model.rates]  # <- learned_rates_as_numbers
        fast = {n: p - r * slope[n] for (n, p), r in zip(weights.items(), rates, strict=True)}
        query(model.net, fast).backward()

    return Job(model, step, optimizer)


def distilled_data() -> Job:
    """Distils a data set: a learned example, by the step that a network takes on it."""
    network_ = network()
    examples = nn.ParameterDict({"x": torch.randn(6, 4)})
    model = nn.ModuleDict({"net": network_, "data": examples})
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(network_.named_parameters())
        loss = network_(examples["x"]).square().mean()
        slope = torch.autograd.grad(loss, list(weights.values()))  # <- distilled_data
        fast = {n: p - RATE * g for (n, p), g in zip(weights.items(), slope, strict=True)}
        query(network_, fast).backward()

    return Job(model, step, optimizer)


def jacobian_alone() -> Job:
    """Trains on its Jacobian alone, which ``torch.autograd.functional`` gives without a past."""
    model = nn.ModuleDict({"net": nn.Linear(4, 2), "scale": nn.Linear(1, 1)})
    optimizer = adam(model)

    def response(x: Tensor) -> Tensor:
        return model["net"](x).exp().sum(0)  # type: ignore[no-any-return]

    def step() -> None:
        optimizer.zero_grad()
        found = torch.autograd.functional.jacobian(response, X)  # <- jacobian_alone
        model["scale"](found.norm().reshape(1)).square().sum().backward()

    return Job(model, step, optimizer)


def stacked_copies() -> Job:
    """Stacks the members anew in each step: the stacked weights are copies."""
    members = nn.ModuleList([network() for _ in range(2)])
    skeleton = copy.deepcopy(members[0]).to("meta")
    optimizer = adam(members)

    def step() -> None:
        optimizer.zero_grad()
        weights, buffers = stack_module_state(list(members))  # <- stacked_copies

        def call(w: dict[str, Tensor], b: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(skeleton, (w, b), (x,))  # type: ignore[no-any-return]

        out = vmap(call, in_dims=(0, 0, None))(weights, buffers, X)
        F.mse_loss(out, Y.expand_as(out)).backward()

    return Job(members, step, optimizer)


def measured_gradient() -> Job:
    """A head whose gradient is looked at, by its norm, and never applied."""
    trunk, head, other = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 1)
    model = nn.ModuleDict({"trunk": trunk, "head": head, "other": other})
    optimizer = adam(model)
    log: list[float] = []

    def step() -> None:
        optimizer.zero_grad()
        h = torch.tanh(trunk(X))
        loss = F.l1_loss(other(h), Y)
        shared = [trunk.weight, *other.parameters()]
        found = torch.autograd.grad(loss, shared, retain_graph=True)  # <- measured_gradient
        log.append(float(found[0].norm()))
        F.mse_loss(head(h), Y).backward()

    return Job(model, step, optimizer)


def outer_loss_forgotten() -> Job:
    """Ends with the outer loss."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.named_parameters())
        slope = slopes(support(model, weights), weights, create_graph=True)
        fast = {name: weights[name] - RATE * slope[name] for name in weights}
        out = functional_call(model, fast, (X[8:],))
        (out - Y[8:]).square().mean()  # <- outer_loss_forgotten

    return Job(model, step, optimizer)


CASES = (
    Case("fast_weights_under_no_grad", fast_weights_under_no_grad, layers("no_grad", "0", "2")),
    Case("fast_weights_of_data", fast_weights_of_data, DETACHED),
    Case("outer_loss_by_grad_too", outer_loss_by_grad_too, DETACHED),
    Case("learner_is_a_deep_copy", learner_is_a_deep_copy, DETACHED),
    Case("learner_has_the_state", learner_has_the_state, DETACHED),
    Case("slope_by_torch_func", slope_by_torch_func, DETACHED),
    Case(
        "learned_loss_of_no_use",
        learned_loss_of_no_use,
        layers("detached", "judge"),
    ),
    Case(
        "learned_rates_as_numbers",
        learned_rates_as_numbers,
        {f"rates.{i}": "detached" for i in range(4)},
    ),
    Case(
        "distilled_data",
        distilled_data,
        {"data.x": "detached"},
    ),
    Case(
        "jacobian_alone",
        jacobian_alone,
        layers("detached", "net"),
    ),
    Case(
        "stacked_copies",
        stacked_copies,
        layers("detached", "0.0", "0.2", "1.0", "1.2"),
    ),
    Case(
        "measured_gradient",
        measured_gradient,
        layers("no_backward", "other"),
    ),
    Case(
        "outer_loss_forgotten",
        outer_loss_forgotten,
        layers("no_backward", "0", "2"),
    ),
)


def maml(*, create_graph: bool) -> Job:
    """Two tasks, two inner steps each."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        losses = []
        for _ in range(2):
            fast: dict[str, Tensor] = dict(model.named_parameters())
            for _ in range(2):
                slope = slopes(support(model, fast), fast, create_graph=create_graph)
                fast = {name: fast[name] - RATE * slope[name] for name in fast}
            losses.append(query(model, fast))
        torch.stack(losses).mean().backward()

    return Job(model, step, optimizer)


def almost_no_inner_loop() -> Job:
    """ANIL: only the head takes inner steps."""
    body, head = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 1)
    model = nn.ModuleDict({"body": body, "head": head})
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        h, weights = body(X), dict(head.named_parameters())
        inner = F.mse_loss(functional_call(head, {**weights}, (h[:8],)), Y[:8])
        slope = slopes(inner, weights, create_graph=True)
        fast = {name: weights[name] - RATE * slope[name] for name in weights}
        F.mse_loss(functional_call(head, fast, (h[8:],)), Y[8:]).backward()

    return Job(model, step, optimizer)


def learned_rates() -> Job:
    """Meta-SGD."""
    model = LearnedRates()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        weights = dict(model.net.named_parameters())
        slope = slopes(support(model.net, weights), weights, create_graph=True)
        pairs = zip(weights.items(), model.rates, strict=True)
        query(model.net, {n: p - rate * slope[n] for (n, p), rate in pairs}).backward()

    return Job(model, step, optimizer)


def gradients_of_a_copy_handed_back() -> Job:
    """First-order MAML, with a deep copy as the learner."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        learner = copy.deepcopy(model)
        inner = torch.optim.SGD(learner.parameters(), lr=RATE)
        F.mse_loss(learner(X[:8]), Y[:8]).backward()
        inner.step()
        inner.zero_grad()
        F.mse_loss(learner(X[8:]), Y[8:]).backward()
        for weight, adapted in zip(model.parameters(), learner.parameters(), strict=True):
            weight.grad = adapted.grad

    return Job(model, step, optimizer)


def reptile() -> Job:
    """The gradient is the way that a copy went."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        learner = copy.deepcopy(model)
        inner = torch.optim.SGD(learner.parameters(), lr=RATE)
        for _ in range(3):
            inner.zero_grad()
            F.mse_loss(learner(X), Y).backward()
            inner.step()
        for weight, adapted in zip(model.parameters(), learner.parameters(), strict=True):
            weight.grad = (weight - adapted).detach()

    return Job(model, step, optimizer)


def balanced_losses() -> Job:
    """GradNorm: the weights of the losses learn from the norms of the gradients."""
    trunk, left, right = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 4)
    weights = nn.ParameterDict({"of": torch.ones(2)})
    model = nn.ModuleDict({"trunk": trunk, "left": left, "right": right, "weights": weights})
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        h = torch.tanh(trunk(X))
        losses = torch.stack([F.mse_loss(left(h), Y), F.mse_loss(right(h), X)])
        weighted = weights["of"] * losses
        norms = [
            torch.autograd.grad(w, trunk.weight, create_graph=True)[0].norm() for w in weighted
        ]
        balance = (torch.stack(norms) - torch.stack(norms).mean().detach()).square().sum()
        (weights["of"].grad,) = torch.autograd.grad(balance, weights["of"], retain_graph=True)
        others = [p for name, p in model.named_parameters() if name != "weights.of"]
        losses.sum().backward(inputs=others)

    return Job(model, step, optimizer)


def gradients_of_tasks_without_conflict() -> Job:
    """PCGrad: one gradient a task, which lose what they have against each other."""
    model = network()
    optimizer = adam(model)

    def step() -> None:
        optimizer.zero_grad()
        out, weights = model(X), list(model.parameters())
        losses = (F.mse_loss(out, Y), F.l1_loss(out, -Y))
        first, second = (torch.autograd.grad(each, weights, retain_graph=True) for each in losses)
        for weight, a, b in zip(weights, first, second, strict=True):
            against = (a * b).sum().clamp(max=0) / b.square().sum()
            weight.grad = a - against * b + b

    return Job(model, step, optimizer)


HEALTHY = (
    Case("maml_of_the_second_order", lambda: maml(create_graph=True)),
    Case("maml_of_the_first_order", lambda: maml(create_graph=False)),
    Case("almost_no_inner_loop", almost_no_inner_loop),
    Case("learned_rates", learned_rates),
    Case("gradients_of_a_copy_handed_back", gradients_of_a_copy_handed_back),
    Case("reptile", reptile),
    Case("balanced_losses", balanced_losses),
    Case("gradients_of_tasks_without_conflict", gradients_of_tasks_without_conflict),
)
