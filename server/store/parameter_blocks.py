"""Reads the parameter table of a run from the blocks that it is packed in."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from ..protocol.parameter_table import Block, ParameterKind, Table

_UNKNOWN = ParameterKind.model_construct(
    shape=[], numel=0, dtype="", device="", in_optimizer=False, requires_grad=False
)

_log = logging.getLogger("gradgate.server")


def unpack(blocks: Iterable[Block]) -> Table:
    """Return the parameters of some or all blocks of a table, in their order."""
    blocks = list(blocks)
    parts = [_part(block) for block in blocks]
    names: list[str] = []
    tied: dict[int, Sequence[str]] = {}
    modules: list[str] = []
    kinds: list[ParameterKind] = []
    module, kind = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    for part in parts:
        module.append(part.module + len(modules))
        kind.append(part.kind + len(kinds))
        tied |= {len(names) + place: others for place, others in part.tied.items()}
        names += part.names
        modules += part.modules
        kinds += part.kinds
    return Table(names, tied, modules, np.concatenate(module), kinds, np.concatenate(kind), blocks)


def lost(first: int, count: int) -> Table:
    """Return what stands for parameters of which nothing can be read any more."""
    names = [f"lost {place}" for place in range(first, first + count)]
    return Table(names, {}, [""], np.zeros(count, np.intp), [_UNKNOWN], np.zeros(count, np.intp))


def _part(block: Block) -> Table:
    try:
        columns = json.loads(zlib.decompress(block.data))
    except (zlib.error, ValueError) as error:
        # SQLite does not see garbage in a long value; its job tells of it again.
        _log.error("The parameters from %d on cannot be read: %s", block.first, error)
        return lost(block.first, block.size)
    return Table(
        columns["names"],
        dict(columns["tied"]),
        columns["modules"],
        np.array(columns["module"], np.intp),
        [ParameterKind.model_construct(**each) for each in columns["kinds"]],
        np.array(columns["kind"], np.intp),
    )
