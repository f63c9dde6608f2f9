"""Ways to train with the lower half of a transformer frozen: by hand, or by the probe.

Each is set up, makes some steps, and is undone again, so that they can take turns on one model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradgate import probe

LOWER = ("tokens", "positions", "layers.layers.[012]*")
"""Targets that name the embedding, which is the output layer too, and three of six layers."""


class Unfrozen:
    """Everything trains: what a freeze saves is seen against this."""

    label = "nothing frozen"

    def begin(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Bring about the freeze; it must hold after three steps."""

    def check(self) -> None:
        """Raise if it does not."""

    def end(self) -> None:
        """Leave the model as it was."""


class ByHand(Unfrozen):
    """What a careful person writes, and what the others are compared with."""

    label = "requires_grad_(False) by hand"

    def begin(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Freeze the lower half, and drop its gradients."""
        self._frozen = list(lower_half(model))
        for parameter in self._frozen:
            parameter.requires_grad_(False)
            parameter.grad = None

    def end(self) -> None:
        """Thaw it."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)


class ByHandAgain(ByHand):
    """The noise: by hand against by hand."""

    label = "by hand again (noise)"


class ByProbe(Unfrozen):
    """The probe's freeze, without a server."""

    def __init__(self, mode: str, every: int | None) -> None:
        self.label = f"run.freeze, mode {mode}, " + (f"every={every}" if every else "default pace")
        self._mode = mode
        self._every = every

    def begin(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Attach and freeze; a module that runs without a graph is decided a step later."""
        self._run: Any = probe.attach(model, optimizer, server=False, every=self._every)
        tokens, positions, layers = LOWER
        self._run.freeze(tokens)
        self._run.freeze(positions)
        self._run.freeze(layers, mode=self._mode)

    def check(self) -> None:
        """See that exactly the lower half is frozen, in the mode that was asked for."""
        modes = {info.name: info.frozen.mode for info in self._run.parameters() if info.frozen}
        layers = {name for name in modes if name.startswith("layers.")}
        expected = {*layers, "tokens.weight", "positions"}
        if len(layers) != 36 or set(modes) != expected:
            raise RuntimeError(f"the wrong parameters are frozen: {sorted(modes)}")
        if {modes[name] for name in layers} != {self._mode}:
            raise RuntimeError(f"the layers are not frozen in mode {self._mode!r}: {modes}")

    def end(self) -> None:
        """Thaw and leave."""
        self._run.detach()


def lower_half(model: nn.Module) -> Iterable[nn.Parameter]:
    """The parameters that ``LOWER`` names."""
    below = ("tokens.", "positions", *(f"layers.layers.{layer}." for layer in range(3)))
    return [p for name, p in model.named_parameters() if name.startswith(below)]


def ways() -> list[Unfrozen]:
    """Every way, the one to compare with first."""
    by_probe = [ByProbe(mode, every) for mode in ("grad", "no_grad") for every in (1, None)]
    return [ByHand(), ByHandAgain(), *by_probe, Unfrozen()]
