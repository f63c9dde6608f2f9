"""Where gates can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import nn
from torch.optim import LBFGS, Optimizer

from ..base.errors import CommandError
from ..model.modules import module_paths
from ..model.table import ParameterTable
from ..torch_compat.dynamo import is_compiled
from ..torch_compat.process_group import in_process_group
from .sites import LABEL, PARAMETER, Site


def check_site(
    site: Site,
    models: Mapping[str, nn.Module],
    optimizers: Sequence[Optimizer],
    table: ParameterTable,
    may_be_frozen: Collection[int],
) -> None:
    """Raise why there cannot be a gate at a site.

    ``may_be_frozen``: parameters that are not refused for being frozen just now.
    """
    if in_process_group():
        raise CommandError(
            "this job is distributed, and a gate that decides differently on each rank would "
            "let the ranks drift apart; this version gates single-process jobs only."
        )
    if is_compiled(models):
        raise CommandError(
            "this model is compiled, and compiled code takes no hooks; gate a run whose "
            "model is not compiled, or freeze instead."
        )
    if any(isinstance(optimizer, LBFGS) for optimizer in optimizers):
        raise CommandError(
            "LBFGS moves parameters along past directions even without a gradient, so a "
            "gate would not keep it away; use another optimizer."
        )
    if site.kind == PARAMETER:
        names = {name for aliases in table.names for name in aliases}
        site.must_be_one_of(names)
        index = table.index_of_name(site.name)
        if not table.parameters[index].requires_grad and index not in may_be_frozen:
            raise CommandError(f"{site.name!r} is frozen, so no gradient comes to it; thaw it.")
    elif site.kind != LABEL:
        site.must_be_one_of(module_paths(models))
