"""Where the files lie that are not code."""

from __future__ import annotations

from pathlib import Path

# Siblings of this package in a checkout and in a wheel alike.
_ROOT = Path(__file__).resolve().parents[2]

TEMPLATES = _ROOT / "templates"
STATIC = _ROOT / "static"
