"""Damage in the file of a store, as a bad disk makes it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.recording import Received, record
from gradgate.server.store.runs import open_run

from .probing import hello
from .stored_samples import sample

SAMPLES = 200
PARAMETERS = 40
_COMMITTED = 10
_PAGE = 4096
_MARK = b"These figures are damaged. "


def store_runs(folder: Path, runs: Sequence[str], marked: str | None = None) -> Path:
    """Make a store of runs with `SAMPLES` samples each, and return its file.

    The row of the run `marked` is so long that a part of it has pages of its own.
    """
    norms = random.Random(1)
    store = Store(folder)
    for run in runs:
        figures = _MARK.decode() * 300 if run == marked else "Figures."
        greeting = hello(run, [f"p{i}" for i in range(PARAMETERS)], name=run, figures=figures)
        with store.write() as connection:
            open_run(connection, Hello.model_validate(greeting), 1.0)
            samples = [
                sample(step, [norms.random() for _ in range(PARAMETERS)])
                for step in range(1, SAMPLES + 1)
            ]
            for first in range(0, SAMPLES, _COMMITTED):
                committed = samples[first : first + _COMMITTED]
                record(connection, run, [Received(each, 1.0) for each in committed])
    store.close()
    return folder / "gradgate.db"


def damage_middle(file: Path) -> None:
    """Write 16 KB of garbage into the middle of a file, where samples are."""
    size = file.stat().st_size
    with file.open("r+b") as writing:
        writing.seek(size * 3 // 5)
        writing.write(random.Random(0).randbytes(16 * 1024))


def damage_marked(file: Path) -> None:
    """Write garbage over the pages that hold nothing but a part of the marked run's row."""
    content = bytearray(file.read_bytes())
    # The first byte of a page of a tree is its kind, and never 0.
    pages = [
        start
        for start in range(0, len(content), _PAGE)
        if content[start] == 0 and _MARK in content[start : start + _PAGE]
    ]
    assert pages
    for start in pages:
        content[start : start + _PAGE] = random.Random(start).randbytes(_PAGE)
    file.write_bytes(content)
