"""``probe.site(x, label)``: a place in the user's own forward."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..base.guard import Guard, identity
from ..notebook.frontend import Cell
from ..torch_compat.tree import map_tensors


class Owner(Protocol):
    """A run, as far as another attach may have to end it."""

    @property
    def name(self) -> str:
        """What the dashboard shows."""

    @property
    def cell(self) -> Cell | None:
        """The cell of a notebook that attached it."""

    def end(self, *, failed: bool) -> None:
        """Undo everything that was done to the model, and say goodbye."""


class Labelled(Protocol):
    """The gates of a run, as far as labels matter to them, and where they are."""

    owner: Owner | None
    """Their run, once it is attached."""

    @property
    def models(self) -> Mapping[str, nn.Module]:
        """The models of the run."""

    def has_label(self, label: str) -> bool:
        """Return whether there is a gate on it."""

    def gates_labels(self) -> bool:
        """Return whether there is a gate on any label."""

    def pass_label(self, tensor: Tensor, label: str) -> Tensor:
        """Return ``tensor``, or a view of it whose gradient is gated."""


class Attached:
    """The runs that labels can reach.

    The one state that lives in a module: a call in the user's forward has no other way to
    the run, which is attached elsewhere. It holds runs weakly.
    """

    def __init__(self) -> None:
        self.guard = Guard()
        self._runs: weakref.WeakSet[Labelled] = weakref.WeakSet()
        self._break: Callable[[Any, str], Any] | None = None
        """Breaks the graph of a compiled model at a label; None while there is no gate on one."""

    def add(self, run: Labelled) -> None:
        """Let labels reach a run."""
        self._runs.add(run)

    def discard(self, run: Labelled) -> None:
        """Let labels reach it no longer."""
        self._runs.discard(run)

    def follow_labels(self) -> None:
        """Let compiled code, which is to be made anew, break at labels where one is gated."""
        gated = any(run.gates_labels() for run in self._runs)
        self._break = torch.compiler.disable(self._pass) if gated else None

    def is_watched(self, models: Iterable[nn.Module]) -> bool:
        """Return whether a run watches a module or a parameter of these models already."""
        return bool(self._watching(models))

    def end_repeated(self, models: Iterable[nn.Module], cell: Cell) -> list[str]:
        """End what watches these models, and what an earlier execution of the cell attached.

        Returns the names of the runs that it has ended.
        """
        repeated = {run.owner for run in self._watching(models) if run.owner is not None}
        owners = (run.owner for run in list(self._runs) if run.owner is not None)
        repeated |= {owner for owner in owners if cell.repeats(owner.cell)}
        for owner in repeated:
            owner.end(failed=False)
        return sorted(owner.name for owner in repeated)

    def _watching(self, models: Iterable[nn.Module]) -> list[Labelled]:
        wanted = _parts(models)
        return [run for run in self._runs if not wanted.isdisjoint(_parts(run.models.values()))]

    def site(self, x: Any, label: str) -> Any:
        """Mark ``x`` (a tensor, or tensors in a structure) as the site ``site:LABEL``.

        The identity: values, and gradients while no gate on the label is closed, are those
        of ``x``. It costs next to nothing when no run is attached.
        """
        if torch.compiler.is_compiling():
            return x if self._break is None else self._break(x, label)
        return self._pass(x, label)

    def _pass(self, x: Any, label: str) -> Any:
        if not self._runs or not torch.is_grad_enabled():
            return x
        for run in [run for run in self._runs if run.has_label(label)]:
            x = map_tensors(partial(run.pass_label, label=label), x, keep=True)
        return x


def _parts(models: Iterable[nn.Module]) -> set[int]:
    """Return the ``id`` of every module and parameter of some models."""
    modules = [module for model in models for module in model.modules()]
    parameters = (p for module in modules for p in module.parameters(recurse=False))
    return {id(part) for part in (*modules, *parameters)}


ATTACHED = Attached()
site = identity(ATTACHED.guard, ATTACHED.site)
