"""The anchor gives reducers and checkpoints their graph; what a freeze does to a forward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.freeze.anchor import Anchor
from gradgate.probe.model.graph_walk import leaves
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support import zoo
from tests.support.steered import one_step, plain

X = torch.ones(3, 2)


@pytest.fixture
def model() -> nn.Sequential:
    """Two layers, of which the first is frozen."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    return model


@pytest.fixture
def anchor(model: nn.Sequential) -> Iterator[Anchor]:
    """One that covers the first layer."""
    anchor = Anchor({"": model}, Wrappers({"": model}), Guard())
    anchor.cover(model[0].parameters())
    yield anchor
    anchor.remove()


def played_again(module: nn.Module) -> Tensor:
    """What a module returns inside a backward, as where a reentrant checkpoint plays it again."""
    returned: list[Tensor] = []

    def play(_: Tensor) -> None:
        with torch.enable_grad():
            returned.append(module(X))

    start = torch.ones(1, requires_grad=True)
    start.register_hook(play)
    start.sum().backward()
    return returned[0]


def test_only_what_carries_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """What the model returns has its own gradient; a layer called alone has none."""
    whole, alone = played_again(model), played_again(model[0])
    assert not anchor.is_all_of(whole)
    assert all(leaf is not anchor.leaf for leaf in leaves([whole]))
    assert anchor.is_all_of(alone)
    assert alone.requires_grad
    alone.sum().backward()
    assert anchor.leaf.grad is None


def test_inside_another_module_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """The layer above would compute a gradient for its input that nobody wants."""
    inputs: list[Tensor] = []
    model[1].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    played_again(model)
    assert not inputs[0].requires_grad
    assert anchor.leaf.is_leaf


@pytest.mark.usefixtures("anchor")
def test_a_forward_returns_what_it_returns_with_a_freeze_by_hand(model: nn.Sequential) -> None:
    """Nothing is tied, so that it can be asked for numbers, and for a gradient of its own."""
    frozen = model[0](X)
    assert not frozen.requires_grad
    assert frozen.numpy().shape == (3, 2)


def test_inside_a_checkpoint_nothing_is_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """Played again in the backward it would look outermost, and save something else."""
    tied: list[bool] = []

    def inside(value: Tensor) -> Tensor:
        frozen = model[0](value)
        tied.append(frozen.requires_grad)
        return model[1](frozen) * value

    checkpoint(inside, X.clone(), use_reentrant=False).sum().backward()
    assert set(tied) == {False}
    assert model[1].weight.grad is not None
    assert anchor.leaf.grad is None


def test_what_is_not_covered_any_more_is_not_tied(model: nn.Sequential, anchor: Anchor) -> None:
    """The hooks go with the freeze."""
    anchor.cover([])
    assert not played_again(model[0]).requires_grad
    assert not model[0]._forward_hooks
    anchor.cover(model[0].parameters())
    assert played_again(model[0]).requires_grad


def test_an_interrupted_forward_is_forgotten(model: nn.Sequential, anchor: Anchor) -> None:
    """At the boundary at the latest: a call that never left leaves no depth behind."""
    handle = model[0].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model[0](X)
    handle.remove()
    anchor.reset()
    assert played_again(model[0]).requires_grad


class Segments(nn.Module):
    """Checkpointed segments of a sequence of layers."""

    def __init__(self, middle: nn.Module, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.q = nn.Sequential(
            nn.Linear(4, 4), middle, nn.Linear(4, 4), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint_sequential(  # type: ignore[no-any-return]
            self.q, 2, x, use_reentrant=self.reentrant
        )


@pytest.mark.parametrize("outer", [True, False], ids=["called", "forward"])
@pytest.mark.parametrize("middle", [nn.GELU, nn.Tanh, lambda: nn.Dropout(0.5)])
def test_checkpointing_gives_the_gradients_of_a_freeze_by_hand(
    middle: Callable[[], nn.Module], outer: bool
) -> None:
    """With a frozen layer inside a checkpoint the trainable layers' gradients are bitwise equal."""
    torch.manual_seed(0)
    by_hand = Segments(middle(), reentrant=False)
    model = copy.deepcopy(by_hand)
    x = torch.randn(3, 4)
    by_hand.q[0].requires_grad_(False)
    torch.manual_seed(1)
    by_hand(x).sum().backward()
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.freeze("q.0")
        torch.manual_seed(1)
        (model(x) if outer else model.forward(x)).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), by_hand.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None and theirs.grad is not None:
            assert torch.equal(ours.grad, theirs.grad), name


def test_a_checkpointed_inner_module_with_a_frozen_part_still_trains() -> None:
    """What forward and recomputation save has the same number of tensors."""
    model = nn.ModuleDict({"encoder": nn.Linear(4, 4), "head": nn.Linear(2, 1)})
    optimizer = torch.optim.SGD(model.parameters())
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("encoder")

        def inner(x: Tensor) -> Tensor:
            return model["head"](torch.relu(model["encoder"](x))[:, :2])  # type: ignore[no-any-return]

        checkpoint(inner, torch.randn(3, 4), use_reentrant=False).sum().backward()
        assert model["head"].weight.grad is not None
        assert model["encoder"].weight.grad is None


class Dummy(nn.Module):
    """A reentrant checkpoint kept in the graph by an input that its inside does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)
        self.extra = torch.zeros(1, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(lambda x, _: self.body(x), x, self.extra, use_reentrant=True)
        return self.head(x)  # type: ignore[no-any-return]


def test_a_reentrant_checkpoint_whose_inside_is_frozen_does_not_raise() -> None:
    """By hand its backward raises "none of output has requires_grad=True"."""
    model = Dummy()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("body")
        one_step(model, optimizer)
        assert model.head.weight.grad is not None


class Blocks(nn.Module):
    """A model whose parts the script calls one by one, through a method of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 3)

    def features(self, x: Tensor) -> list[Tensor]:
        found = []
        for block in self.blocks:
            x = x + torch.tanh(block(x))
            found.append(x)
        return found


def test_frozen_modules_called_one_by_one_compute_no_gradient_for_each_other() -> None:
    """Nothing of them is in the graph; the trained head's gradient is that by hand."""
    torch.manual_seed(0)
    model = Blocks()
    x = zoo.batch(1)[0]
    with probe.attach(model, torch.optim.SGD(model.parameters(), lr=0.1), server=False) as run:
        run.freeze("blocks")
        features = model.features(x)
        model.head(features[-1]).sum().backward()
        gradient = model.head.weight.grad.clone()
        assert not features[-1].requires_grad
        run.thaw("blocks.0")
        model.head(model.features(x)[-1]).sum().backward()
        assert model.blocks[0].weight.grad is not None
    model.zero_grad()
    model.head(model.features(x)[-1].detach()).sum().backward()
    assert torch.equal(gradient, model.head.weight.grad)


@dataclass
class Output:
    """What a forward may return."""

    logits: Any
    label: str = "x"


@dataclass(slots=True)
class Slotted:
    """The same without a dict of attributes."""

    logits: Any


class Attributes(dict[str, Any]):
    """A dict whose keys are attributes too, as configuration libraries have it."""


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: logits,
        lambda logits: {"a": [logits]},
        lambda logits: (logits, 3, None),
        Output,
        lambda logits: torch.distributions.Categorical(logits=logits),
        lambda logits: Output({"a": [logits]}),
        Slotted,
        lambda logits: Attributes(a=(logits, 3)),
        lambda logits: [Output(Slotted(logits))],
    ],
    ids=[
        "tensor",
        "nested",
        "tuple",
        "dataclass",
        "distribution",
        "dict in dataclass",
        "slots",
        "dict subclass",
        "dataclass in dataclass",
    ],
)
def test_with_everything_frozen_any_output_can_be_backpropagated(
    wrap: Callable[[Tensor], Any],
) -> None:
    """The user's backward works through tensors, containers, dataclasses and distributions."""

    class Model(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return wrap(super().forward(x))

    model = Model(4, 3)
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.freeze("*")
        output = model(torch.randn(2, 4))
        tensor = output
        while not isinstance(tensor, Tensor):
            if isinstance(tensor, dict):
                tensor = tensor["a"]
            elif isinstance(tensor, (tuple, list)):
                tensor = tensor[0]
            else:
                tensor = tensor.logits
        tensor.sum().backward()
    assert model.weight.grad is None


# torch.func.jvp itself loads decompositions through torch.jit.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("target", ["encoder.0", "*"])
def test_function_transforms_work_with_a_freeze(target: str) -> None:
    """torch.func's vmap, jvp and jacrev go through a model with frozen parameters."""
    model, optimizer = plain()
    model.eval()
    x = zoo.batch(1)[0]
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze(target)
        assert torch.func.vmap(model)(x[:, None]).shape == (8, 1, 3)
        assert torch.func.jvp(model, (x,), (x,))[1].shape == (8, 3)
        assert torch.func.jacrev(model)(x).shape == (8, 3, 8, 6)
        assert job_of(run).guard.faults == 0


def test_an_interrupted_forward_leaves_the_anchor_working() -> None:
    """After Ctrl-C in a forward, as in a notebook, an all-frozen model's backward still works."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        handle = model.encoder.register_forward_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(zoo.batch(1)[0])
        handle.remove()
        one_step(model, optimizer)


@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
def test_a_trace_of_a_frozen_model_is_possible() -> None:
    """torch.jit.trace and its like see no anchor."""
    model, optimizer = plain()
    model.eval()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        traced = torch.jit.trace(model, (zoo.batch(1)[0],))
        assert torch.equal(traced(zoo.batch(2)[0]), model(zoo.batch(2)[0]))
