"""The gates at their sites: their hooks come and go, and follow the model."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from ..base.undo import Handles, whole
from ..torch_compat.autograd import inside_backward, observed_by_transforms
from ..torch_compat.dynamo import forget_compiled_code
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.recompile_limits import RecompileLimits
from ..torch_compat.tensors import is_zero
from .backward_hooks import LabelHooks, ParameterHooks
from .gate import Gate
from .labels import ATTACHED, Owner
from .present_step import PresentStep
from .reach import Reach
from .site_gates import SiteGates
from .sites import GatedRun, LabelSite, ParameterSite, Site
from .spared_hooks import SparedHooks

logger = logging.getLogger("gradgate")

NAMED = 3
"""Sites that a warning names, at most."""

REDUCED_TWICE = (
    "open from the second of several reductions in one step on, since what was scaled before "
    "would be scaled again; accumulate gradients under no_sync()."
)


class GateRuntime:
    """Lets gates act at their sites, in the training thread."""

    def __init__(self, run: GatedRun, step: PresentStep) -> None:
        self._run = run
        self._step = step
        self._spared = SparedHooks(run.table, lambda: bool(self.closed_gates()), step.guard)
        self._sites: dict[Site, SiteGates] = {}
        self._model_hooks = Handles()
        self.owner: Owner | None = None
        """The run that they are of, once it is attached."""
        self._limits = RecompileLimits(self._given_up, step.guard)
        self.compiled = False
        """Whether the models were compiled when a gate was made last."""

    @property
    def models(self) -> Mapping[str, nn.Module]:
        """The models in which they are."""
        return self._run.models

    def add(self, gate: Gate) -> None:
        """Let a gate act from the next forward on."""
        self._step.scale.follow(needed=True)
        self._spared.follow(needed=True)
        self.compiled = self._run.wrappers.is_compiled()
        site = self._sites.setdefault(gate.site, SiteGates(gate.site, self._step))
        with whole([partial(self.discard, gate)]):
            before = site.hooks
            site.add(gate, self._run)
            if site.hooks is not before:
                self._compile_anew(gate.site)
            if not self._model_hooks:
                for model in self._run.models.values():
                    hook = ModuleHook(self._step.guard, self._forward_ended)
                    self._model_hooks.add(model.register_forward_hook, hook, always_call=True)

    def discard(self, gate: Gate) -> None:
        """Let a gate act no longer."""
        site = self._sites[gate.site]
        before = site.hooks
        site.discard(gate)
        if site.hooks is not before:
            self._compile_anew(gate.site)
        if not self.gates():
            self._leave_models()

    def remove(self) -> None:
        """Remove every hook."""
        self._leave_models()
        for site in self._sites.values():
            self._step.guard.undo(partial(self._remove, site))
        self._sites.clear()

    def _remove(self, site: SiteGates) -> None:
        if site.hooks is not None:
            site.remove()
            self._compile_anew(site.site)

    def gates(self) -> list[Gate]:
        """Return the gates of all sites."""
        if not self._sites:
            return []
        return [gate for site in self._sites.values() for gate in site.gates]

    def closed_gates(self) -> list[Gate]:
        """Return those that were closed in the present step so far."""
        return [gate for gate in self.gates() if gate.arrivals.closed_now]

    def gates_labels(self) -> bool:
        """Return whether there is a gate on any label."""
        return any(isinstance(site.hooks, LabelHooks) for site in self._sites.values())

    def has_label(self, label: str) -> bool:
        """Return whether there is a gate on a label."""
        site = self._sites.get(LabelSite(label)) if self._sites else None
        return site is not None and site.hooks is not None

    def pass_label(self, tensor: Tensor, label: str) -> Tensor:
        """Gate the gradient of a tensor that passes a label, if there is a gate on it."""
        site = self._sites.get(LabelSite(label))
        hooks = None if site is None else site.hooks
        return hooks.pass_label(tensor) if isinstance(hooks, LabelHooks) else tensor

    def pass_asked(self, index: int, grad: Tensor) -> Tensor | None:
        """Return what passes of a parameter's gradient that the script asked for.

        It does not come to the parameter's accumulating node, where the gates on it are.
        """
        passed: Tensor | None = grad
        for site in self._sites.values():
            on_it = isinstance(site.site, ParameterSite) and index in (g.index for g in site.gates)
            if on_it and passed is not None:
                passed = site.pass_on(passed)
        return passed

    def record_missing(self, index: int | None) -> None:
        """Take in that what the script asked for has no gradient; None: it is no parameter.

        Where the graph was cut in the forward, autograd does not come to the cut for it.
        """
        step = self._step
        if index is not None:
            step.zeros.add(index)
        for gate in self.gates():
            if gate.arrivals.has_cut and (index is None or index in gate.reach.indexes):
                gate.decide(step.number, step.values(gate), lambda: 0.0, cut=True)

    def step_begins(self) -> None:
        """Forget what was reduced in the step before."""
        self._step.reduced.step_begins(index for index, _ in self._reduced_sites())

    def forward_begins(self) -> None:
        """Follow parameters that were cast; prepare to tell what the coming backward reduces."""
        for gate, hooks in self._parameter_gates():
            if not (gate.is_reduced or gate.index is None or observed_by_transforms()):
                with self._step.guard:
                    hooks.put_on(self._run.table.parameters[gate.index])
        self._step.reduced.forward_begins(index for index, _ in self._reduced_sites())
        if self._step.agreed is not None:
            self._step.agreed.begin(self._step.number)

    def backward_ended(self) -> None:
        """Gate the gradients that the backward has reduced."""
        if not self._sites:
            return
        sites, reduced = list(self._reduced_sites()), self._step.reduced
        for index, site in [each for each in sites if reduced.came(each[0])]:
            self._gate_reduced(index, site)
        for index, _ in sites:  # at last: those in one buffer of a reducer share a count of writes
            reduced.take(index)

    def backward_returned(self) -> None:
        """The same where the end of the backward is not seen: that of a compiled model."""
        if not inside_backward():
            self.backward_ended()

    def gate_rest(self, wanted: Collection[int]) -> None:
        """Before an optimizer's step: gate what was reduced in another way than by a backward."""
        for index, site in self._reduced_sites():
            reduced = self._step.reduced
            if index in wanted and index not in reduced.gated and reduced.waits(index):
                self._gate_reduced(index, site)

    @property
    def may_make_zeros(self) -> bool:
        """Whether gates may close in the backward, so that a reducer makes zeros of nothing."""
        return any(
            gate.action.blocks and not gate.is_reduced and not gate.settings.paused
            for gate in self.gates()
        )

    def _reduced_sites(self) -> Iterator[tuple[int, SiteGates]]:
        for site in self._sites.values():
            for gate in site.gates[:1]:
                if gate.is_reduced and gate.index is not None:
                    yield gate.index, site

    def _gate_reduced(self, index: int, site: SiteGates) -> None:
        reduced = self._step.reduced
        arrived = reduced.arrived(index)
        if index in reduced.gated and any(gate.action.adds_up for gate in site.gates):
            for gate in site.gates:
                gate.arrivals.record_bypass(REDUCED_TWICE)
        elif arrived is None or (self.may_make_zeros and self._is_nothing(index, arrived)):
            return  # nothing came to the reducer
        else:
            passed = site.pass_on(arrived)
            if passed is not arrived:
                reduced.replace(index, passed)
        reduced.gated.add(index)

    def _is_nothing(self, index: int, grad: Tensor) -> bool:
        """Return whether a reduced gradient is zeros, on all ranks, of a sharded one's parts."""
        zero = is_zero(grad)
        if self._step.agreed is None or self._step.reduced.copies(index) is None:
            return zero
        lists = self._step.agreed.lists([index] if zero else [], self._step.number)
        return bool(self._step.reduced.agree(lists))

    def follow_parameters(self) -> None:
        """At a boundary: put hooks on the tensors that gated parameters are now."""
        if self._sites:
            self._step.reduced.follow()
        for gate, hooks in self._parameter_gates():
            with self._step.guard:
                self._follow_parameter(gate, hooks)

    def _parameter_gates(self) -> Iterator[tuple[Gate, ParameterHooks]]:
        for site in self._sites.values():
            if isinstance(site.hooks, ParameterHooks):
                for gate in site.gates:
                    yield gate, site.hooks

    def _follow_parameter(self, gate: Gate, hooks: ParameterHooks) -> None:
        index = gate.find_parameter(self._run.table)
        if index is not None:
            gate.reach = Reach(self._step.number, {index} if gate.action.blocks else set())
            gate.is_reduced = index in self._step.reduced
            put = hooks.leave_to_reducer if gate.is_reduced else hooks.put_on
            put(self._run.table.parameters[index])

    def why_no_gradient(self, gate: Gate) -> str:
        """Return why no gradient has come to a gate."""
        if isinstance(gate.site, ParameterSite) and gate.find_parameter(self._run.table) is None:
            return f"{gate.site.name} is no longer in the model."
        hooks = self._sites[gate.site].hooks
        return "it was removed." if hooks is None else hooks.why_no_gradient()

    def find_rewrites(self) -> None:
        """At the end of a step: let go of what forwards that did not end have left behind."""
        for site in self._sites.values():
            if site.hooks is not None:
                with self._step.guard:
                    site.hooks.find_rewrites()

    def _forward_ended(self, *_: object) -> None:
        """Look for writes in place that go past a gate, while the tensors are still there."""
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        for site in self._sites.values():
            with self._step.guard:
                site.find_rewrites()

    def _compile_anew(self, site: Site) -> None:
        """Let a compiled model be compiled again, with a break of its graph at a site or without.

        Compiled code asks neither for new hooks nor for such as are gone.
        """
        if site.in_forward and (self.compiled or self._run.wrappers.is_compiled()):
            forget_compiled_code()
            ATTACHED.follow_labels()
            self._limits.follow(needed=any(map(_breaks_graph, self._sites.values())))

    def _given_up(self, function: str) -> None:
        """Say that code between the sites of gates is compiled no more."""
        sites = [site.site.text for site in self._sites.values() if _breaks_graph(site)]
        logger.warning(
            "gradgate: torch.compile gives %s up and runs it eagerly from here on, since it would "
            "have to compile more versions of it than torch._dynamo.config.recompile_limit: the "
            "graph breaks at the gates on %s. Remove some of them, or raise the limit.",
            function,
            ", ".join(sites[:NAMED]) + (f" and {len(sites) - NAMED} more" * (len(sites) > NAMED)),
        )

    def _leave_models(self) -> None:
        self._step.scale.follow(needed=False)
        self._spared.follow(needed=False)
        self._model_hooks.remove()


def _breaks_graph(site: SiteGates) -> bool:
    """Return whether a compiled model breaks its graph at a site: there are hooks that it calls."""
    return site.site.in_forward and site.hooks is not None
