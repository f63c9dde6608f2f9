"""The notebook that a job runs in, where it runs in one: its name, and the cell at work.

IPython (Jupyter, VS Code, Colab) and marimo are looked at where the job has imported them, and
never imported for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

UNNAMED = "notebook"


@dataclass(frozen=True)
class Cell:
    """A cell that is being executed."""

    place: str
    """Which cell: its id, where the frontend tells it; else the file that IPython made of it."""
    execution: int
    """Grows with each execution of any cell."""

    def repeats(self, earlier: Cell | None) -> bool:
        """Return whether it is the cell of an earlier execution, executed again."""
        return (
            earlier is not None
            and earlier.place == self.place
            and earlier.execution != self.execution
        )


def running_cell(frame: FrameType | None) -> Cell | None:
    """Return the cell that called ``frame``, or None where none did.

    marimo drops what a cell made before it executes the cell again, and does not number its
    executions: none of its cells repeats another.
    """
    shell = _shell()
    if shell is None:
        return Cell("marimo", 0) if _in_marimo() else None
    called = [each for each in _callers(frame) if each.f_globals is shell.user_ns]
    if not called:
        return None
    place = _cell_id(shell) or called[-1].f_code.co_filename
    return Cell(place, int(shell.execution_count))


def notebook_name(frame: FrameType | None) -> str | None:
    """Return the name of the notebook's file, or a word where it has none; None: no notebook.

    VS Code leaves the file's path in the namespace, Jupyter's server in the environment, and
    marimo executes cells as those of the file.
    """
    shell = _shell()
    if shell is not None:
        file = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    elif _in_marimo():
        files = (each.f_globals.get("__file__") for each in _callers(frame) if _of_marimo(each))
        file = next(files, None)
    else:
        return None
    return Path(str(file or "")).stem or UNNAMED


def display_now(page: object) -> bool:
    """Show something below the cell of IPython's at work; False where there is none."""
    shell = _shell()
    if shell is None:
        return False
    sys.modules["IPython"].display.display(page)
    return True


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _in_marimo() -> bool:
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def _of_marimo(frame: FrameType) -> bool:
    return "__marimo__" in frame.f_code.co_filename


def _cell_id(shell: Any) -> str:
    """Return what the frontend calls the cell at work, or "" where it does not say."""
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if callable(get_parent) else {}
    metadata = parent.get("metadata") if isinstance(parent, Mapping) else None
    return str(metadata.get("cellId") or "") if isinstance(metadata, Mapping) else ""


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
