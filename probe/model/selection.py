"""What a command touches: the parameters and the modules that its target names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from ..base.errors import CommandError, TargetError
from ..base.targets import require_text, resolve
from ..torch_compat.modules import keeps_statistics
from .modules import module_paths
from .table import ParameterTable


@dataclass(frozen=True)
class Selection:
    """The parameters and modules that a command touches."""

    indexes: list[int]
    """The parameters, as indexes of the table."""
    modules: tuple[str, ...] = ()
    """The outermost modules that the target names; none when it names parameters."""
    norms: tuple[str, ...] = ()
    """The modules with running statistics that are inside the target."""


def select(
    target: str,
    table: ParameterTable,
    models: Mapping[str, nn.Module],
    *,
    without_graph: bool = False,
) -> Selection:
    """Return what ``target`` names.

    Raises :class:`TargetError` when it matches nothing and :class:`CommandError` when something
    else than modules is to run ``without_graph``.
    """
    require_text(target)
    paths = module_paths(models)
    matched = _matching(target, paths, table)
    below = _below(matched, table)
    if without_graph:
        if not matched:
            first = table.name(resolve(target, table.names)[0])
            raise CommandError(_no_module(target, first))
        indexes = below
    else:
        # A pattern such as ``blocks.[012]`` matches no parameter's name, but modules' paths.
        is_pattern = target not in paths
        indexes = _matching_names(target, table) or (below if is_pattern else [])
        indexes = indexes or resolve(target, table.names)
    if not indexes:
        raise CommandError(f"{target!r} names modules without parameters.")
    return Selection(indexes, matched, _norms_inside(matched, indexes, paths, table))


def _matching(
    target: str, paths: Mapping[str, nn.Module], table: ParameterTable
) -> tuple[str, ...]:
    if any(target in names for names in table.names):
        return ()
    if target in paths:
        return (target,)
    return tuple(_outermost(path for path in paths if fnmatchcase(path, target)))


def _matching_names(target: str, table: ParameterTable) -> list[int]:
    """The parameters that a target names by themselves; none when it names only modules."""
    try:
        return resolve(target, table.names)
    except TargetError:
        return []


def _below(modules: Iterable[str], table: ParameterTable) -> list[int]:
    """The parameters below any of some modules, in order."""
    prefixes = [_prefix(path) for path in modules]
    return [
        index
        for index, names in enumerate(table.names)
        if any(name.startswith(prefix) for name in names for prefix in prefixes)
    ]


def _outermost(paths: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: (path.count(".") + bool(path), path)):
        if not any(path.startswith(_prefix(above)) for above in kept):
            kept.append(path)
    return kept


def _norms_inside(
    modules: Iterable[str],
    indexes: Iterable[int],
    paths: Mapping[str, nn.Module],
    table: ParameterTable,
) -> tuple[str, ...]:
    owners = {name.rpartition(".")[0] for index in indexes for name in table.names[index]}
    below = [_prefix(module) for module in modules]
    return tuple(
        path
        for path, module in paths.items()
        if keeps_statistics(module)
        and (path in owners or any(f"{path}.".startswith(prefix) for prefix in below))
    )


def _prefix(path: str) -> str:
    return f"{path}." if path else ""


def _no_module(target: str, parameter: str) -> str:
    module = parameter.rpartition(".")[0]
    return (
        f"{target!r} names parameters, and mode 'no_grad' runs whole modules without a graph; "
        f"give a module's path such as {module!r}, or use mode 'grad'."
    )
