"""A process of the probe's, which has torch, as the command line has not."""

from __future__ import annotations

import sys


def probe_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the probe's by its name."""
    # Without -P the working directory would be looked into for modules, as for no script.
    return [sys.executable, "-P", "-m", module, *arguments]
