"""Lines of source that are marked in a test's own file."""

from __future__ import annotations

import os
from pathlib import Path


def line_of(file: str, mark: str) -> str:
    """Return ``path/to/file.py:n`` of the line that ends in ``# <- mark``, as Gradgate shows it."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# <- {mark}")]
    return f"{os.path.relpath(file)}:{number}"
