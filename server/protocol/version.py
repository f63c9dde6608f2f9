"""The version of the installed distribution."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("gradgate")
UPGRADE = "`pip install --upgrade .` in a clone of the newer version"
"""How to get a newer Gradgate, as sentences say it."""
