"""The route of the optimizers' groups."""

from __future__ import annotations

from ...protocol.optimizers import OptimizerGroupRows
from ...store.optimizers import optimizer_groups
from ..dependencies import ReadRunOf, StoreOf


def list_optimizers(run: ReadRunOf, store: StoreOf) -> OptimizerGroupRows:
    """The groups of the optimizers, with their options, as the job last told of them."""
    with store.read() as connection:
        return optimizer_groups(connection, run)
