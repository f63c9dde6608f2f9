"""Every row of the matrix that runs in one process, by what makes it special."""

from __future__ import annotations

from . import amp, changing, compiled, loops, modules, optimizers, unusual

ROWS = (
    *optimizers.ROWS,
    *loops.ROWS,
    *amp.ROWS,
    *modules.ROWS,
    *compiled.ROWS,
    *changing.ROWS,
    *unusual.ROWS,
)
