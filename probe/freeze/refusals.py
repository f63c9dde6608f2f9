"""Refuses to freeze or thaw what cannot be, and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from ..base.errors import CommandError
from ..distributed.reducers import distributed_refusal, refusal
from ..model.modules import module_paths
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.module_hooks import takes_hooks
from ..torch_compat.parts import FREEZING
from ..torch_compat.requirements import require_for
from ..torch_compat.wrappers import Wrappers


class Refusals:
    """Raises why flipping ``requires_grad`` on some parameters would not be safe."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        wrappers: Wrappers,
    ) -> None:
        self._models = models
        self._optimizers = optimizers
        self._table = table
        self._wrappers = wrappers

    def check(self, indexes: Sequence[int], mode: str) -> None:
        """Raise :class:`CommandError` when parameters cannot be steered in this mode."""
        require_for(FREEZING)
        self._check_parameters(indexes)
        targets = {self._table.name(i): self._table.parameters[i] for i in indexes}
        refused = scripted_refusal(self._models, targets)
        refused = refused or distributed_refusal(self._models, targets, self._wrappers)
        for wrapper in self._wrappers.reducing(targets.values()):
            refused = refused or refusal(wrapper)
        if refused is None and mode == "no_grad" and self._wrappers.is_compiled():
            refused = (
                "a compiled model takes mode 'grad' only, and there it saves the activations "
                "of frozen parts already; use mode 'grad'."
            )
        if refused is not None:
            raise CommandError(refused)

    def _check_parameters(self, indexes: Sequence[int]) -> None:
        """Raise for the first parameter that cannot be steered."""
        current = {id(p) for model in self._models.values() for p in model.parameters()}
        trained_by_lbfgs = {
            id(p)
            for optimizer in self._optimizers
            if isinstance(optimizer, LBFGS)
            for group in optimizer.param_groups
            for p in group["params"]
        }
        for index in indexes:
            parameter = self._table.parameters[index]
            problem = None
            if id(parameter) not in current:
                problem = (
                    "was replaced by another tensor or left the model, so freezing the old one "
                    "would do nothing; name the present one."
                )
            elif id(parameter) in trained_by_lbfgs:
                problem = (
                    "is trained by LBFGS, which moves parameters along past directions even "
                    "without a gradient; it cannot be frozen here."
                )
            else:
                problem = unfit(parameter)
            if problem is not None:
                raise CommandError(f"{self._table.name(index)!r} {problem}")


def unfit(parameter: Tensor) -> str | None:
    """Say why a tensor cannot be trained or frozen, or None."""
    if is_uninitialized(parameter):
        return "belongs to a lazy module that has not run yet; try again after the first forward."
    if parameter.is_meta:
        return (
            "is on the meta device, where it has no values; give it some, as by "
            "to_empty() or load_state_dict(..., assign=True), and try again."
        )
    if parameter.layout is not torch.strided:
        return (
            f"has layout {parameter.layout}, and only dense parameters can be frozen; "
            "choose a target without it."
        )
    if not (parameter.is_floating_point() or parameter.is_complex()):
        return (
            f"has dtype {parameter.dtype}, and only floating-point parameters can be trained; "
            "choose a target without it."
        )
    if parameter.is_inference():
        return (
            "was made in inference mode, and autograd takes no such tensor; make it outside of "
            "torch.inference_mode()."
        )
    if not parameter.is_leaf:
        return (
            "was computed by operations that autograd follows, so its own requires_grad cannot "
            "be changed; freeze what it was computed from."
        )
    return None


def scripted_refusal(models: Mapping[str, nn.Module], targets: Mapping[str, Tensor]) -> str | None:
    """Return why parameters, given by name, cannot be frozen inside TorchScript, or None.

    Without hooks there is no anchor on what its modules return, which the script may call alone.
    """
    for path, module in module_paths(models).items():
        if takes_hooks(module):
            continue
        inside = {id(parameter) for parameter in module.parameters()}
        name = next((name for name, p in targets.items() if id(p) in inside), None)
        if name is not None:
            return (
                f"{name!r} is inside {path!r}, which is TorchScript and takes no hooks, so what "
                "the script does with it could break; attach before torch.jit.script, or set "
                "requires_grad in the script."
            )
    return None
