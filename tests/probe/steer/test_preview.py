"""What a command would touch, against figures made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gradgate.probe.model.commands import KINDS, ParameterCommand
from gradgate.probe.model.selection import select
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.model.upstream import Upstream
from gradgate.probe.steer.preview import Preview, preview
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support import zoo


def ask(
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    command: ParameterCommand,
    upstream: Upstream | None = None,
) -> Preview:
    table = ParameterTable({"": model})
    selection = select(command.target, table, {"": model}, without_graph=command.without_graph)
    return preview(
        command,
        selection,
        table=table,
        optimizers=optimizers,
        upstream=upstream,
        compiled=Wrappers({"": model}).is_compiled(),
    )


def wish(kind: str, target: str, **options: Any) -> ParameterCommand:
    command = KINDS[kind](target, by="test", local=1, **options)
    assert isinstance(command, ParameterCommand)
    return command


class Net(nn.Module):
    """An encoder of 75 numbers with a BatchNorm inside, and a head of 12."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))
        self.head = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def trained(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    """An AdamW that has made one step."""
    optimizer = torch.optim.AdamW(model.parameters(), **options)
    zoo.loss_of(model, 1).backward()
    optimizer.step()
    return optimizer


def test_a_freeze_counts_what_it_touches() -> None:
    """Parameters, numbers, bytes of gradients and of optimizer state, and what is left."""
    model = Net()
    optimizer = trained(model)
    model.encoder[0].bias.requires_grad_(False)  # type: ignore[union-attr]
    found = ask(model, [optimizer], wish("freeze", "encoder"))
    numel = 36 + 6 + 6 + 6 + 18 + 3
    assert found.as_message() == {
        "kind": "freeze",
        "target": "encoder",
        "mode": "grad",
        "hold_stats": False,
        "reset_state": False,
        "parameters": [
            "encoder.0.weight",
            "encoder.0.bias",
            "encoder.1.weight",
            "encoder.1.bias",
            "encoder.2.weight",
            "encoder.2.bias",
        ],
        "count": 6,
        "already": 1,
        "numel": numel,
        "share": numel / (numel + 12),
        "gradient_bytes": 4 * (numel - 6),
        # Two moments, and a step count of four bytes a parameter.
        "state_bytes": 4 * 2 * numel + 4 * 6,
        "trainable_after": 2,
        "trainable_numel_after": 12,
        "not_in_optimizer": [],
        "tied": [],
        "running_stats": ["encoder.1"],
        "cut_off": [],
        "recompiles": False,
        "warnings": found.warnings,
    }
    assert len(found.warnings) == 1
    assert "Running statistics go on in 'encoder.1'" in found.warnings[0]


def test_the_state_is_counted_as_it_is() -> None:
    """With amsgrad a third moment, before the first step nothing, and asking makes no entry."""
    model = Net()
    fresh = torch.optim.Adam(model.parameters())
    assert ask(model, [fresh], wish("freeze", "head")).state_bytes == 0
    assert len(fresh.state) == 0
    used = trained(model, amsgrad=True)
    expected = sum(
        value.numel() * value.element_size()
        for parameter in model.head.parameters()
        for value in used.state[parameter].values()
    )
    assert expected == 4 * (3 * 12 + 2)
    assert ask(model, [fresh, used], wish("freeze", "head")).state_bytes == expected


def test_nothing_is_changed_by_a_preview() -> None:
    """Neither flags nor gradients nor weights nor optimizer state."""
    model = Net()
    optimizer = trained(model)
    before = zoo.weights(model)
    state = {id(p): dict(optimizer.state[p]) for p in model.parameters()}
    grads = [p.grad for p in model.parameters()]
    ask(model, [optimizer], wish("freeze", "*"))
    ask(model, [optimizer], wish("thaw", "*", reset_state=True))
    assert zoo.weights(model) == before
    assert all(p.requires_grad for p in model.parameters())
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    for parameter in model.parameters():
        assert dict(optimizer.state[parameter]) == state[id(parameter)]


def test_a_thaw_names_what_no_optimizer_holds() -> None:
    """And counts the gradients that it needs, not those that are there already."""
    model = Net()
    optimizer = torch.optim.SGD(model.encoder.parameters(), lr=0.1)
    model.head.requires_grad_(False)
    model.encoder[2].requires_grad_(False)
    found = ask(model, [optimizer], wish("thaw", "*"))
    assert found.not_in_optimizer == ["head.weight", "head.bias"]
    assert (found.already, found.gradient_bytes) == (4, 4 * (12 + 21))
    assert (found.trainable_after, found.trainable_numel_after) == (8, 87)
    assert "'head.weight' and 1 more are in no optimizer" in found.warnings[0]
    assert found.running_stats == []
    assert ask(model, [], wish("thaw", "*")).not_in_optimizer == []


def test_lists_of_names_end_after_twenty() -> None:
    """The counts go on."""
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(15)))
    twin = nn.ModuleList([*model, *model])
    found = ask(twin, [torch.optim.SGD([nn.Parameter(torch.ones(1))])], wish("freeze", "*"))
    assert (found.count, len(found.parameters)) == (30, 20)
    assert (len(found.not_in_optimizer), len(found.tied)) == (20, 20)
    assert found.tied[0] == ["0.weight", "15.weight"]
    assert found.parameters == [names[0] for names in found.tied]


def test_freezing_everything_says_that_nothing_learns() -> None:
    """And a freeze of what is frozen says that it changes nothing."""
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters())
    found = ask(model, [optimizer], wish("freeze", "*"))
    assert (found.trainable_after, found.share) == (0, 1.0)
    assert [w.split(":")[0] for w in found.warnings] == ["Nothing is left trainable"]
    model.requires_grad_(False)
    found = ask(model, [optimizer], wish("freeze", "*"))
    assert (found.already, found.gradient_bytes) == (2, 0)
    assert "All of it is frozen already." in found.warnings
    model.requires_grad_(True)
    assert ask(model, [optimizer], wish("thaw", "*")).warnings == [
        "All of it is trainable already."
    ]


NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm1d(3),
    "sync": lambda: nn.SyncBatchNorm(3),
    "instance": lambda: nn.InstanceNorm1d(3, track_running_stats=True),
}


@pytest.mark.parametrize("norm", list(NORMS))
def test_running_statistics_of_every_kind_are_named(norm: str) -> None:
    """Not those that are held, and not a norm without any; how to hold them is said in words."""
    model = nn.Sequential(
        nn.Sequential(nn.Linear(3, 3), NORMS[norm]()),
        nn.Sequential(NORMS[norm](), nn.BatchNorm1d(3, track_running_stats=False), nn.LayerNorm(3)),
    )
    optimizer = torch.optim.SGD(model.parameters())
    found = ask(model, [optimizer], wish("freeze", "0"))
    assert found.running_stats == ["0.1"]
    # As the page's own switch is called, which stands beside it.
    assert any(warning.endswith("hold running statistics too.") for warning in found.warnings)
    assert ask(model, [optimizer], wish("freeze", "*")).running_stats == ["0.1", "1.0"]
    held = ask(model, [optimizer], wish("freeze", "*", hold_stats=True))
    assert held.running_stats == []
    assert not any("statistics" in warning for warning in held.warnings)


@pytest.mark.parametrize(
    ("upstream", "cut_off", "warning"),
    [
        (None, None, "known after the next forward"),
        (Upstream(False, [], False), None, "known after the next forward"),
        (Upstream(True, [], False), [], "Running statistics"),
        (Upstream(True, [6], False), [], "Running statistics"),
        (Upstream(True, [0, 1, 6], False), ["encoder.0.weight", "encoder.0.bias"], "rejected"),
        (Upstream(True, [], True), [], "rejected"),
    ],
    ids=["not asked", "not called", "nothing", "itself", "encoder", "foreign"],
)
def test_no_grad_says_what_it_would_cut_off(
    upstream: Upstream | None, cut_off: list[str] | None, warning: str
) -> None:
    """As far as a forward has shown it; the target's own parameters do not count."""
    model = Net()
    model.head = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))  # type: ignore[assignment]
    optimizer = torch.optim.SGD(model.parameters())
    found = ask(model, [optimizer], wish("freeze", "head", mode="no_grad"), upstream)
    assert found.cut_off == cut_off
    assert warning in found.warnings[0]
    assert ask(model, [optimizer], wish("freeze", "head"), upstream).cut_off == []


def test_tied_names_are_told_together() -> None:
    """And that they freeze under all of them."""
    model = zoo.Tied()
    found = ask(model, [torch.optim.SGD(model.parameters())], wish("freeze", "output.weight"))
    assert found.tied == [["embedding.weight", "output.weight"]]
    assert "'embedding.weight' is shared under several names, and freezes" in found.warnings[-1]


def test_a_reset_is_said() -> None:
    """The state's bytes are those that are dropped."""
    model = nn.Linear(6, 3)
    found = ask(model, [trained(model)], wish("thaw", "weight", reset_state=True))
    assert (found.reset_state, found.state_bytes) == (True, 4 * 2 * 18 + 4)
    assert found.warnings == [
        "The optimizer begins anew with these parameters: its state for them is dropped."
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("order", ["wrapped", "around", "in-place"])
def test_a_recompilation_is_said(order: str) -> None:
    """However the model was compiled."""
    model: Any = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters())
    assert not ask(model, [optimizer], wish("freeze", "*weight")).recompiles
    compiled = torch.compile(model, backend="eager")
    if order == "in-place":
        compiled = None
        model.compile(backend="eager")
    found = ask(compiled if order == "wrapped" else model, [optimizer], wish("freeze", "*weight"))
    assert found.recompiles
    assert "compiled again" in found.warnings[-1]


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
def test_a_lazy_module_counts_as_nothing_yet() -> None:
    """Its parameters have no shape before the first forward."""
    found = ask(nn.LazyLinear(3), [], wish("freeze", "*"))
    assert (found.count, found.numel, found.share, found.gradient_bytes) == (2, 0, 0.0, 0)
