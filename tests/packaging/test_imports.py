"""The probe and the server share a protocol and no code."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("gradgate.server", {"torch", "gradgate.probe"}),
        (
            "gradgate.probe",
            {"gradgate.server", "fastapi", "uvicorn", "pydantic", "plotly", "sqlalchemy"},
        ),
    ],
)
def test_package_stays_on_its_own_side(package: str, forbidden: set[str]) -> None:
    """Importing every module of one side loads nothing of the other."""
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package], capture_output=True, text=True, timeout=120
    )

    assert answer.returncode == 0, answer.stderr
    assert not forbidden & set(answer.stdout.split())
