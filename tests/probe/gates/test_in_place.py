"""Gates where tensors are written to in place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from tests.support import gating
from tests.support.gating import both


class InPlace(nn.Module):
    """Writes to what a module has just returned: to a tensor, or to a view of one."""

    def __init__(self, how: str, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(6, 6)
        if how == "flattened":
            self.body = nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Linear(3, 3), nn.Flatten())
        elif how == "transposed":
            self.body = Transposing()
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(6, 3)
        self.how, self.place = how, place

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "view":  # of three dimensions a linear layer returns a view
            x = x[:, None]
        x = self.place(self.body(x))
        x += 0.1
        x[..., :2] *= 0.5
        x = self.act(x)
        return self.head(x.reshape(-1, 6))  # type: ignore[no-any-return]


class Transposing(nn.Module):
    """Returns a view of a copy of a view."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).reshape(-1, 2, 3).transpose(1, 2).flatten(1)  # type: ignore[no-any-return]


def fresh(place: gating.Place) -> gating.Place:
    return lambda x: place(x).clone()


@pytest.mark.parametrize("how", ["tensor", "view", "flattened", "transposed"])
def test_what_is_written_to_after_an_output_gate_is_gated(how: str) -> None:
    """A write in place right behind a gated output does not go past the gate."""
    for when in gating.ALWAYS.values():
        both(InPlace(how), InPlace(how, fresh(gating.cut)), "output:body", when=when)
    scaled = InPlace(how, fresh(gating.scaled(-0.5)))
    both(InPlace(how), scaled, "output:body", action="scale", factor=-0.5)


def test_a_write_to_what_a_view_was_made_from_is_seen() -> None:
    """Autograd still finds a write that makes a backward wrong, behind a gate as without."""

    class Saves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(x * 2).view(-1, 3)

    x = torch.ones(2, 3, requires_grad=True)
    model = Saves()
    with gating.attached(model) as run:
        run.gate("output:", action="scale", factor=2.0)
        out = model(x)
        out.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()


@pytest.mark.parametrize("site", ["input:act", "site:here", "output:flat"])
def test_a_write_that_goes_past_a_gate_is_reported(site: str) -> None:
    """Where a gated view is written to, the gradient is right, the gate idle, and says why."""

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.act, self.flat = nn.Linear(6, 3), nn.ReLU(inplace=True), nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            if site == "input:act":
                return self.act(x)  # type: ignore[no-any-return]
            x = probe.site(x, "here") if site == "site:here" else self.flat(x)
            x += 1
            return x

    ours, theirs = Writes(), Writes()
    with gating.attached(ours) as run:
        run.gate(site)
        for step in (1, 2):
            gating.loss_of(ours, step).backward()
            run.step()
        assert "is changed in place right after the site" in str(gating.only_gate(run).problem)
    for step in (1, 2):
        gating.loss_of(theirs, step).backward()
    assert gating.gradients(ours) == gating.gradients(theirs)
