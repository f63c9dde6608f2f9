"""Tells what this torch lacks of what Gradgate uses."""

from __future__ import annotations

import torch

from . import (
    autograd,
    checkpoints,
    dynamo,
    foreach,
    function_modes,
    grad_scaler,
    modules,
    patching,
    process_group,
    tensors,
    tree,
    versions,
)
from .parts import Part

PARTS: tuple[Part, ...] = (
    *autograd.PARTS,
    *checkpoints.PARTS,
    *dynamo.PARTS,
    *foreach.PARTS,
    *function_modes.PARTS,
    *grad_scaler.PARTS,
    *modules.PARTS,
    *patching.PARTS,
    *process_group.PARTS,
    *tensors.PARTS,
    *tree.PARTS,
    *versions.PARTS,
)
"""Every private part that is looked up by name."""


def require_for(purpose: str) -> None:
    """Raise :class:`MissingFromTorch` for the first missing part that ``purpose`` needs.

    ``purpose``: one of those in :mod:`gradgate.probe.torch_compat.parts`.
    """
    for part in PARTS:
        if purpose in part.needed_for:
            part.require()


def is_supported(purpose: str) -> bool:
    """Return whether nothing that ``purpose`` needs is missing."""
    return not any(part.missing and purpose in part.needed_for for part in PARTS)


def missing_parts() -> str | None:
    """Return a sentence that names each part that is missing, or None."""
    missing = [part for part in PARTS if part.missing]
    if not missing:
        return None
    named = "; ".join(f"{part.name} ({part.otherwise})" for part in missing)
    return f"torch {torch.__version__} lacks what this version of Gradgate uses: {named}."
