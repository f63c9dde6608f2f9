"""A short soak: everything is killed, stopped and cut for a while, and no ledger differs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.forked import run_python

ROOT = Path(__file__).parents[2]
SEED = 20261128
LONGEST = 400


@pytest.mark.exhaustive(0)
@pytest.mark.timeout(LONGEST)
def test_what_is_stored_and_applied_is_what_the_ledgers_say() -> None:
    """To the sample and the command, but for the last seconds of a killed job."""
    soaked = run_python(
        "-m",
        "benchmarks.soak",
        *("--minutes", "1.2", "--seed", str(SEED)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=LONGEST - 20,
    )
    print(soaked.stdout, soaked.stderr)
    assert soaked.returncode == 0
    assert "what is stored and applied is what the ledgers say" in soaked.stdout
