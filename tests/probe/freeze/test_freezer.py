"""Freezing and thawing, bit for bit against runs that did it by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support import zoo

MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: dict[str, MakeOptimizer] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, foreach=False),
    "adamw-foreach": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, foreach=True),
    "adamw-fused": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1, fused=True),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
}
FROZEN = {
    "plain": "encoder",
    "tied": "output.weight",
    "recurrent": "lstm",
    "twice": "inner",
}

STEPS, FREEZE_AT, THAW_AT = 40, 10, 31


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    at_boundary: Callable[[int], None],
    *,
    set_to_none: bool = True,
) -> list[bytes]:
    """Train and return all weights and optimizer state after each step, as bytes."""
    history = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad(set_to_none=set_to_none)
        loss = zoo.loss_of(model, step)
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
        at_boundary(step)
        history.append(snapshot(model, optimizer))
    return history


def snapshot(model: nn.Module, optimizer: torch.optim.Optimizer) -> bytes:
    """Parameters, buffers and optimizer state, as bytes."""
    tensors = [*model.state_dict().values()]
    for state in optimizer.state_dict()["state"].values():
        tensors += [torch.as_tensor(value) for value in state.values()]
    return b"".join(tensor.detach().numpy().tobytes() for tensor in tensors)


def by_hand(model: nn.Module, wanted: list[nn.Parameter], step: int) -> None:
    """What a careful person writes: flip, and drop the gradient."""
    if step in (FREEZE_AT, THAW_AT):
        for parameter in wanted:
            parameter.requires_grad_(step == THAW_AT)
            if step == FREEZE_AT:
                parameter.grad = None


def below(model: nn.Module, target: str) -> list[nn.Parameter]:
    names = model.named_parameters(remove_duplicate=False)
    return [p for n, p in names if n == target or n.startswith(f"{target}.")]


@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("name", list(zoo.MODELS))
def test_freeze_and_thaw_equal_the_same_done_by_hand(
    name: str, kind: str, set_to_none: bool
) -> None:
    """Every weight, buffer and optimizer state is bitwise that of a run frozen by hand."""
    torch.manual_seed(0)
    reference = zoo.MODELS[name]()
    model = copy.deepcopy(reference)
    target = FROZEN[name]

    wanted = below(reference, target)
    optimizer = OPTIMIZERS[kind](list(reference.parameters()))
    expected = train(
        reference, optimizer, lambda step: by_hand(reference, wanted, step), set_to_none=set_to_none
    )

    optimizer = OPTIMIZERS[kind](list(model.parameters()))
    frozen_bits: list[list[bytes]] = []

    def steer(step: int) -> None:
        if step == FREEZE_AT:
            run.freeze(target)
        if step == THAW_AT:
            run.thaw(target)
        if FREEZE_AT <= step <= THAW_AT:
            frozen_bits.append([p.detach().numpy().tobytes() for p in below(model, target)])

    with probe.attach(model, optimizer, server=False, every=1) as run:
        actual = train(model, optimizer, steer, set_to_none=set_to_none)
        assert all(bits == frozen_bits[0] for bits in frozen_bits)
        assert [p.detach().numpy().tobytes() for p in below(model, target)] != frozen_bits[0]
    differing = [s for s, (a, b) in enumerate(zip(actual, expected, strict=True), 1) if a != b]
    assert differing == []


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_attaching_and_commanding_nothing_changes_nothing(kind: str) -> None:
    """A watched run is bitwise equal to one without Gradgate."""
    torch.manual_seed(0)
    reference = zoo.Plain()
    model = copy.deepcopy(reference)
    optimizer = OPTIMIZERS[kind](list(reference.parameters()))
    expected = train(reference, optimizer, lambda step: None)
    optimizer = OPTIMIZERS[kind](list(model.parameters()))
    with probe.attach(model, optimizer, server=False, every=1):
        assert train(model, optimizer, lambda step: None) == expected


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, step: int = 1) -> None:
    optimizer.zero_grad()
    zoo.loss_of(model, step).backward()
    optimizer.step()


@pytest.fixture
def plain() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = zoo.Plain()
    return model, torch.optim.AdamW(model.parameters(), lr=0.05)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("head.weight", {"head.weight"}),
        ("encoder.0", {"encoder.0.weight", "encoder.0.bias"}),
        ("encoder", {f"encoder.{i}.{p}" for i in (0, 1) for p in ("weight", "bias")}),
        ("*.bias", {"encoder.0.bias", "encoder.1.bias", "head.bias"}),
        ("encoder.?.weight", {"encoder.0.weight", "encoder.1.weight"}),
    ],
)
def test_targets(plain: Any, target: str, names: set[str]) -> None:
    """A target is an exact name, a module or a glob, and exactly those parameters freeze."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        assert set(run.freeze(target)) == names
        one_step(model, optimizer)
        assert {info.name for info in run.parameters() if info.state == "frozen"} == names
        assert {n for n, p in model.named_parameters() if not p.requires_grad} == names


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("encodr", "did you mean 'encoder'"),
        ("head.wieght", "did you mean 'head.weight'"),
        ("", "the first parameter is 'encoder.0.weight'"),
        ("<script>", "the first parameter is"),
    ],
)
def test_a_target_that_matches_nothing_names_the_nearest(
    plain: Any, target: str, hint: str
) -> None:
    """The error says what to type instead, and nothing is frozen."""
    model, optimizer = plain
    with (
        probe.attach(model, optimizer, server=False) as run,
        pytest.raises(probe.TargetError, match=hint),
    ):
        run.freeze(target)
    assert all(p.requires_grad for p in model.parameters())


def test_an_unknown_mode_is_refused(plain: Any) -> None:
    """A mode that this version cannot do is an error, not a freeze of another kind."""
    model, optimizer = plain
    with (
        probe.attach(model, optimizer, server=False) as run,
        pytest.raises(probe.CommandError, match="use 'grad' or 'no_grad'"),
    ):
        run.freeze("head", mode="half")


@pytest.mark.parametrize("moment", ["forward", "backward"])
def test_a_freeze_in_mid_step_takes_effect_at_the_boundary(plain: Any, moment: str) -> None:
    """Called after the forward began, the freeze lets the step finish and holds from then on."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        optimizer.zero_grad()
        loss = zoo.loss_of(model, 1)
        if moment == "backward":
            loss.backward()
        run.freeze("head")
        assert model.head.weight.requires_grad
        if moment == "forward":
            loss.backward()
        before = model.head.weight.detach().clone()
        optimizer.step()
        assert not torch.equal(before, model.head.weight)
        assert not model.head.weight.requires_grad
        held = zoo.weights(model)["head.weight"]
        one_step(model, optimizer)
        assert zoo.weights(model)["head.weight"] == held
        assert run.parameters()[-1].frozen == probe.Freeze("python", "grad", 1, None)


def test_a_backward_through_an_older_graph_does_not_move_a_frozen_parameter(plain: Any) -> None:
    """A graph built before the freeze writes no gradient that the optimizer would apply."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        loss = zoo.loss_of(model, 1)
        optimizer.step()
        held = zoo.weights(model)["head.weight"]
        run.freeze("head")
        loss.backward()
        optimizer.step()
        assert zoo.weights(model)["head.weight"] == held


@pytest.mark.parametrize("name", list(zoo.MODELS))
def test_with_everything_frozen_the_users_backward_still_works(name: str) -> None:
    """loss.backward() does not raise, no weight moves, and the outputs are the same bits."""
    torch.manual_seed(0)
    model = zoo.MODELS[name]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        one_step(model, optimizer)
        with torch.no_grad():
            free = model.eval()(zoo.batch(3)[0])
        run.freeze("*")
        held = zoo.weights(model)
        assert torch.equal(model(zoo.batch(3)[0]), free)
        model.train()
        output = model(zoo.batch(1)[0])
        output += 1
        output.sum().backward()
        for step in range(3):
            one_step(model, optimizer, step)
        assert zoo.weights(model) == held
        run.thaw("*")
        one_step(model, optimizer)
        assert zoo.weights(model) != held


def test_with_everything_frozen_a_submodule_called_alone_works(plain: Any) -> None:
    """The anchor is at the outermost call, whichever module the script calls."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*")
        model.head(model.encoder(zoo.batch(1)[0])).sum().backward()
        with torch.no_grad():
            assert not model(zoo.batch(1)[0]).requires_grad


def test_a_forward_that_raises_leaves_the_anchor_working(plain: Any) -> None:
    """After an exception in a forward, which the script caught, backward still works."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*")
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            model(torch.ones(2, 5))
        one_step(model, optimizer)


def test_frozen_lower_half_saves_the_backward_below_it() -> None:
    """With the first layer frozen nothing is computed for it: its output carries no gradient."""
    model = zoo.Plain()
    seen: list[bool] = []
    model.encoder.register_forward_hook(lambda m, a, output: seen.append(output.requires_grad))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("encoder")
        one_step(model, optimizer)
    assert seen == [False]


def test_a_gan_freezes_its_discriminator_while_the_generator_trains_through_it() -> None:
    """With the discriminator frozen its own backward does not raise, and the generator learns."""
    torch.manual_seed(0)
    models = {"g": nn.Linear(2, 4), "d": nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))}
    optimizers = {key: torch.optim.AdamW(m.parameters(), lr=0.01) for key, m in models.items()}

    def step() -> None:
        noise, real = torch.randn(8, 2), torch.randn(8, 4)
        optimizers["d"].zero_grad()
        fake = models["g"](noise)
        (models["d"](fake.detach()).mean() - models["d"](real).mean()).backward()
        optimizers["d"].step()
        optimizers["g"].zero_grad()
        (-models["d"](fake).mean()).backward()
        optimizers["g"].step()

    with probe.attach(models, [*optimizers.values()], server=False, every=1) as run:
        step()
        run.freeze("d")
        held, moving = zoo.weights(models["d"]), zoo.weights(models["g"])
        for _ in range(3):
            step()
        assert zoo.weights(models["d"]) == held
        assert all(zoo.weights(models["g"])[name] != bits for name, bits in moving.items())


def test_thawing_what_is_in_no_optimizer_is_said() -> None:
    """The report of a thaw names the parameters that nobody trains."""
    model = zoo.Plain()
    optimizer = torch.optim.SGD(model.encoder.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports: list[Any] = []
        job_of(run).reports.add_listener(reports.append)
        run.freeze("head")
        run.thaw("head")
        assert reports[-1].detail == (
            "head.weight (and 1 more) is in no optimizer and will not be trained"
        )


def test_a_frozen_parameter_that_the_script_writes_to_is_not_called_verified(plain: Any) -> None:
    """When something else than the optimizer moves it, the report says so, by name."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports: list[Any] = []
        job_of(run).reports.add_listener(reports.append)
        run.freeze("head")
        with torch.no_grad():
            model.head.bias[0] += 1
        one_step(model, optimizer)
        assert reports[-1].state == "drifted"
        assert reports[-1].reason == (
            "head.bias was frozen and has changed by step 1: moved by the script's own code"
        )


def test_detach_leaves_the_model_as_it_was_found(plain: Any) -> None:
    """Hooks, requires_grad, attributes and the optimizer's methods are those of before."""
    model, optimizer = plain
    model.encoder[0].bias.requires_grad_(False)

    def found() -> list[Any]:
        return [
            [sorted(module.__dict__) for module in model.modules()],
            [len(module._forward_hooks) for module in model.modules()],
            [len(module._forward_pre_hooks) for module in model.modules()],
            [p.requires_grad for p in model.parameters()],
            [bool(p._post_accumulate_grad_hooks) for p in model.parameters()],
            sorted(optimizer.__dict__),
            optimizer.zero_grad.__func__,
            len(optimizer._optimizer_step_pre_hooks),
            len(optimizer._optimizer_step_post_hooks),
        ]

    before = found()
    run = probe.attach(model, optimizer, server=False, every=1)
    one_step(model, optimizer)
    run.freeze("*")
    run.thaw("encoder")
    one_step(model, optimizer)
    run.detach()
    run.detach()
    assert found() == before
    assert all(not p.grad.__dict__ for p in model.parameters() if p.grad is not None)
    with pytest.raises(probe.CommandError, match="was detached"):
        run.freeze("head")


def test_detach_keeps_what_the_script_decided_since() -> None:
    """A parameter that the script froze itself after a command stays as the script wants it."""
    model = zoo.Plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False)
    run.freeze("head")
    run.thaw("head")
    model.head.requires_grad_(False)
    run.detach()
    assert not model.head.weight.requires_grad


def test_verification_never_repeats_and_superseded_commands_say_so(plain: Any) -> None:
    """freeze is applied then verified once; a thaw before that supersedes it."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports: list[Any] = []
        job_of(run).reports.add_listener(reports.append)
        run.freeze("head")
        for _ in range(3):
            one_step(model, optimizer)
        run.freeze("encoder")
        run.thaw("encoder")
        one_step(model, optimizer)
    words = [(r.command.kind, r.command.target, r.state.value) for r in reports]
    assert words == [
        ("freeze", "head", "applied"),
        ("freeze", "head", "verified"),
        ("freeze", "encoder", "applied"),
        ("freeze", "encoder", "superseded"),
        ("thaw", "encoder", "applied"),
        ("thaw", "encoder", "verified"),
    ]


def test_opposite_commands_at_one_boundary_leave_the_later_one(plain: Any) -> None:
    """Of a freeze and a thaw that arrive in the same step the earlier one is never applied."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports: list[Any] = []
        job_of(run).reports.add_listener(reports.append)
        loss = zoo.loss_of(model, 1)
        run.freeze("head")
        run.thaw("head")
        loss.backward()
        optimizer.step()
    words = [(r.command.kind, r.state.value) for r in reports]
    assert words == [
        ("freeze", "delivered"),
        ("thaw", "delivered"),
        ("freeze", "superseded"),
        ("thaw", "applied"),
    ]


def test_a_parameter_that_cannot_carry_a_gradient_is_refused() -> None:
    """An integer parameter in the target rejects the command, by name."""
    model = zoo.Plain()
    model.table = nn.Parameter(torch.arange(3), requires_grad=False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with (
        probe.attach(model, optimizer, server=False) as run,
        pytest.raises(probe.CommandError, match=r"'table' has dtype torch\.int64"),
    ):
        run.thaw("*")


def test_a_copy_or_a_pickle_of_a_watched_model_is_free_of_the_probe(
    plain: Any, tmp_path: Any
) -> None:
    """deepcopy and torch.save work while attached and frozen, and the copy reports nothing."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("*")
        twin = copy.deepcopy(model)
        torch.save(model, tmp_path / "model.pt")
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for other in (twin, loaded):
            output: Tensor = other(zoo.batch(1)[0])
            assert not output.requires_grad
        assert job_of(run).state.between


def test_a_script_that_wins_and_thaws_by_itself_is_believed(plain: Any) -> None:
    """A frozen parameter that the script set to trainable is no longer shown as frozen."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1, script_wins=True) as run:
        run.freeze("head")
        one_step(model, optimizer)
        model.head.requires_grad_(True)
        one_step(model, optimizer)
        assert [info.frozen for info in run.parameters()] == [None] * 6
        assert {info.state for info in run.parameters()} == {"present"}


def test_a_gradient_that_the_script_gives_a_frozen_parameter_is_kept_from_the_optimizer(
    plain: Any,
) -> None:
    """p.grad = … on a frozen parameter does not move it."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        held = zoo.weights(model)["head.weight"]
        model.head.weight.grad = torch.ones_like(model.head.weight)
        optimizer.step()
        assert zoo.weights(model)["head.weight"] == held


def test_a_freeze_drops_the_gradient_at_once(plain: Any) -> None:
    """grad is None right after the freeze, so its memory is free and nothing old is applied."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False) as run:
        one_step(model, optimizer)
        run.freeze("head")
        assert model.head.weight.grad is None


def test_a_freeze_after_parameters_were_replaced_takes_the_present_ones(plain: Any) -> None:
    """load_state_dict(assign=True) makes new parameters: freezing the old ones would be a lie."""
    model, optimizer = plain
    with probe.attach(model, optimizer, server=False) as run:
        old = model.head.bias
        model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, assign=True)
        run.freeze("head.bias")
        assert not model.head.bias.requires_grad
        assert old.requires_grad
        with pytest.raises(probe.TargetError, match="replaced at step 0"):
            run.freeze("head.bias (replaced at step 0)")
