"""Where the files lie that are not code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

# Siblings of this package in a checkout and in a wheel alike.
_ROOT = Path(__file__).resolve().parents[2]

TEMPLATES = _ROOT / "templates"
STATIC = _ROOT / "static"


def plotly_script() -> Path:
    """Return the plotly.js of the installed plotly package, found without importing it."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "The package plotly is missing: install it with `pip install plotly`."
        )
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
