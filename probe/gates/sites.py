"""The sites at which gradient flow can be gated, one class a kind.

To add a kind: a class of hooks in ``backward_hooks``, a class here, and its entry in
``SITE_KINDS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

from torch import nn
from torch.optim import LBFGS, Optimizer

from ..base.errors import CommandError, TargetError
from ..base.guard import Guard
from ..distributed.reducers import gate_refusal
from ..freeze.refusals import scripted_refusal, unfit
from ..model.modules import module_paths
from ..model.table import ParameterTable
from ..torch_compat.module_hooks import takes_hooks
from ..torch_compat.parts import GATING
from ..torch_compat.process_group import in_process_group
from ..torch_compat.requirements import require_for
from ..torch_compat.wrappers import Wrappers
from .backward_hooks import (
    GatesAtSite,
    InputHooks,
    LabelHooks,
    OutputHooks,
    ParameterHooks,
    SiteHooks,
)

PARAMETER, OUTPUT, INPUT, LABEL = "param", "output", "input", "site"
LONGEST_NAME = 500


@dataclass(frozen=True)
class GatedRun:
    """The parts of a run that have sites."""

    models: Mapping[str, nn.Module]
    optimizers: Sequence[Optimizer]
    table: ParameterTable
    guard: Guard
    wrappers: Wrappers


@dataclass(frozen=True)
class Site(ABC):
    """A site, by its name among those of its kind."""

    name: str
    kind: ClassVar[str]
    noun: ClassVar[str]
    """What the name is the name of."""
    may_be_nameless: ClassVar[bool] = False
    in_forward: ClassVar[bool] = True
    """Its hooks are called in the forward, and so break the graph of a compiled model."""

    @property
    def text(self) -> str:
        """The site as people write it."""
        return f"{self.kind}:{self.name}"

    @abstractmethod
    def check(self, run: GatedRun, may_be_frozen: Collection[int]) -> None:
        """Raise why there cannot be a gate here.

        ``may_be_frozen``: parameters that are not refused for being frozen just now.
        """

    @abstractmethod
    def put_hooks(self, gates: GatesAtSite, run: GatedRun) -> SiteHooks:
        """Put hooks where they see the gradients that arrive here."""

    def _check_name(self, names: Collection[str]) -> None:
        if self.name in names:
            return
        nearest = get_close_matches(self.name, sorted(names), n=3, cutoff=0.5)
        hint = ""
        if nearest:
            hint = ": did you mean " + " or ".join(repr(name) for name in nearest) + "?"
        raise TargetError(f"{self.text!r} names no {self.noun} of this run{hint or '.'}")


class ParameterSite(Site):
    """``param:NAME``: one parameter's gradient, summed over its uses in a backward."""

    kind: ClassVar[str] = PARAMETER
    noun: ClassVar[str] = "parameter"
    in_forward: ClassVar[bool] = False

    def check(self, run: GatedRun, may_be_frozen: Collection[int]) -> None:
        """Raise why the parameter cannot be gated."""
        self._check_name({name for aliases in run.table.names for name in aliases})
        index = run.table.index_of_name(self.name)
        parameter = run.table.parameters[index]
        problem = unfit(parameter)
        if problem is not None:
            raise CommandError(f"{self.name!r} {problem}")
        refused = scripted_refusal(run.models, {self.name: parameter})
        if refused is not None:
            raise CommandError(refused)
        if not run.table.parameters[index].requires_grad and index not in may_be_frozen:
            raise CommandError(f"{self.name!r} is frozen, so no gradient comes to it; thaw it.")

    def put_hooks(self, gates: GatesAtSite, run: GatedRun) -> SiteHooks:
        """Put a hook on the parameter's accumulating node."""
        hooks = ParameterHooks(self.name, gates)
        hooks.put_on(run.table.parameters[run.table.index_of_name(self.name)])
        return hooks


class _ModuleSite(Site):
    noun: ClassVar[str] = "module"
    may_be_nameless: ClassVar[bool] = True

    def check(self, run: GatedRun, may_be_frozen: Collection[int]) -> None:
        """Raise for a module that there is not, or that takes no hooks."""
        paths = module_paths(run.models)
        self._check_name(paths)
        if not takes_hooks(paths[self.name]):
            raise CommandError(
                f"{self.name!r} is TorchScript, which takes no hooks; gate a module around it, "
                "or attach before torch.jit.script."
            )


class OutputSite(_ModuleSite):
    """``output:MODULE``: the sum of what all users of a module's output send back."""

    kind: ClassVar[str] = OUTPUT

    def put_hooks(self, gates: GatesAtSite, run: GatedRun) -> SiteHooks:
        """Put a hook behind the module's forward."""
        # The clock of the backward is on what a model returns.
        may_cut, compiled = self.name not in run.models, run.wrappers.is_compiled()
        hooks = OutputHooks(self.name, gates, may_cut=may_cut, compiled=compiled)
        hooks.put_on(module_paths(run.models)[self.name])
        return hooks


class InputSite(_ModuleSite):
    """``input:MODULE``: what this module alone sends back to what it was given."""

    kind: ClassVar[str] = INPUT

    def put_hooks(self, gates: GatesAtSite, run: GatedRun) -> SiteHooks:
        """Put a hook before the module's forward."""
        hooks = InputHooks(self.name, gates, compiled=run.wrappers.is_compiled())
        hooks.put_on(module_paths(run.models)[self.name])
        return hooks


class LabelSite(Site):
    """``site:LABEL``: what comes back to a tensor that ``probe.site`` marked in a forward."""

    kind: ClassVar[str] = LABEL
    noun: ClassVar[str] = "label"

    def check(self, run: GatedRun, may_be_frozen: Collection[int]) -> None:
        """Refuse nothing: a label is known once the forward passes it."""

    def put_hooks(self, gates: GatesAtSite, run: GatedRun) -> SiteHooks:
        """Return what takes in the tensors that pass the label."""
        return LabelHooks(self.name, gates)


SITE_KINDS: Mapping[str, type[Site]] = {
    site.kind: site for site in (ParameterSite, OutputSite, InputSite, LabelSite)
}


def parse_site(text: str) -> Site:
    """Read a site as people write it; raise :class:`CommandError` for what is none."""
    kind, colon, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    wanted = SITE_KINDS.get(kind)
    if not colon or wanted is None:
        raise CommandError(
            f"{text!r} is no site; give param:NAME, output:MODULE, input:MODULE or site:LABEL."
        )
    if not name and not wanted.may_be_nameless:
        raise CommandError(f"{text!r} names nothing; give a name after the colon.")
    if len(name) > LONGEST_NAME or "\0" in name:
        raise CommandError(f"the name of a site has {LONGEST_NAME} characters at most, and no NUL.")
    return wanted(name)


def check_site(site: Site, run: GatedRun, may_be_frozen: Collection[int]) -> None:
    """Raise why there cannot be a gate at a site, in this run or in any.

    ``may_be_frozen``: parameters that are not refused for being frozen just now.
    """
    require_for(GATING)
    names = {run.table.name(index): p for index, p in enumerate(run.table.parameters)}
    refused = gate_refusal(run.models, names, run.wrappers)
    if refused is not None:
        raise CommandError(refused)
    if site.in_forward and run.wrappers.is_compiled():
        _check_compiled(run.wrappers)
    if any(isinstance(optimizer, LBFGS) for optimizer in run.optimizers):
        raise CommandError(
            "LBFGS moves parameters along past directions even without a gradient, so a "
            "gate would not keep it away; use another optimizer."
        )
    site.check(run, may_be_frozen)


def _check_compiled(wrappers: Wrappers) -> None:
    """Raise why the graph of a compiled model cannot be broken at a site."""
    if not wrappers.breaks_graphs():
        raise CommandError(
            "this model is compiled with fullgraph=True, so its graph cannot be broken at the "
            "site; compile it without, gate a parameter, or freeze instead."
        )
    if in_process_group() and not wrappers.alone:
        raise CommandError(
            "this model is compiled, and in a job of several processes its graph is split for the "
            "reduction of gradients, which a gate in it was never tried with; gate a parameter, or "
            "freeze instead."
        )
