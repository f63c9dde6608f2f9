"""Saves what can be read of a damaged SQLite data base, in a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol.parameter_table import BLOCK, pack
from .errors import StoreError
from .integrity import reader
from .parameter_blocks import lost
from .sqlite import FILE_NAME
from .tables import parameter_blocks, runs, spans, tiles

_LAST = 2**62


@dataclass(frozen=True)
class Salvage:
    """What was saved, and what was not."""

    saved: list[str]
    """The names of the runs that are in the new data base, as `name#number`."""
    lost: list[str]
    """The ids of the runs of which there was an entry in the index, and nothing else."""
    holes: dict[str, int]
    """By table, in how many places it could not be read."""


def salvage(folder: Path, out: Path) -> Salvage:
    """Copy every row that can be read from the data base of a folder into one of a new folder.

    The old one is only read. Rows of no run that was saved are left out, so are figures without
    the steps that they belong to; a parameter whose row is lost is called `lost N` and has no
    numbers, until its job tells of it again. Raises `StoreError` with a sentence.
    """
    source, target = folder / FILE_NAME, out / FILE_NAME
    if not source.is_file():
        raise StoreError(f"There is no data base in {folder}: name its folder with --data.")
    if target.exists():
        raise StoreError(f"{target} is there already, and is not overwritten: choose a new folder.")
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(reader(source)) as reading:
            statements = _schema(reading, source)
            with closing(sqlite3.connect(target)) as writing, writing:
                for statement in statements:
                    writing.execute(statement)
                return _copied(reading, writing)
    except OSError as error:
        raise StoreError(f"{out} cannot be written ({error.strerror}): choose another.") from error
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{target} cannot be written ({error}): choose another place.") from error


def _schema(reading: sqlite3.Connection, source: Path) -> list[str]:
    """Return the statements that make the tables, then those that make their indexes."""
    query = (
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
        "ORDER BY type = 'index'"
    )
    try:
        return [statement for (statement,) in reading.execute(query)]
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"The first pages of {source} cannot be read ({error}), and nothing behind them is "
            "found without: put a backup in its place."
        ) from error


def _copied(reading: sqlite3.Connection, writing: sqlite3.Connection) -> Salvage:
    holes: dict[str, int] = {}
    names = [
        name for (name,) in writing.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ]
    for name in names:
        rows = _Rows(reading, name)
        marks = ", ".join("?" * len(rows.columns))
        listed = ", ".join(f'"{column}"' for column in rows.columns)
        writing.executemany(f'INSERT OR IGNORE INTO "{name}" ({listed}) VALUES ({marks})', rows)
        if rows.holes:
            holes[name] = rows.holes
    _complete(writing, names)
    saved = writing.execute(f"SELECT id, name, number FROM {runs.name} ORDER BY created").fetchall()
    known = {run for run, _, _ in saved}
    lost = [run for run in _indexed(reading) if run not in known]
    return Salvage([f"{name}#{number}" for _, name, number in saved], lost, holes)


class _Rows:
    """The rows of a table, but for those on pages that cannot be read."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self._connection = connection
        described = connection.execute(f'PRAGMA table_info("{table}")')
        self.columns = [name for _, name, *_ in described]
        listed = ", ".join(f'"{column}"' for column in self.columns)
        # The rows lie in the order of their rowid; an index may be damaged where they are not.
        self._query = (
            f'SELECT rowid, {listed} FROM "{table}" NOT INDEXED WHERE rowid >= ? ORDER BY rowid'
        )
        self.holes = 0

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        first: int | None = 0
        while first is not None:
            try:
                for number, *row in self._connection.execute(self._query, (first,)):
                    yield tuple(row)
                    first = number + 1
                return
            except sqlite3.DatabaseError:
                # A cursor steps ahead, so that the row before the fault is not returned either.
                alone = self._read(first)
            if alone is None:
                self.holes += 1
                first = self._behind(first)
            elif alone:
                number, *row = alone[0]
                yield tuple(row)
                first = number + 1
            else:
                first = None

    def _behind(self, first: int) -> int | None:
        """Return where rows can be read again behind a place where none can; None: nowhere."""
        step = 1
        while self._read(first + step) is None:
            step *= 2
            if step > _LAST:
                return None
        low, high = first + step // 2, first + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._read(middle) is None else (low, middle)
        return high

    def _read(self, first: int) -> list[tuple[Any, ...]] | None:
        """Return the first row from a place on, or none where there is no more; None: damage."""
        try:
            return self._connection.execute(f"{self._query} LIMIT 1", (first,)).fetchall()
        except sqlite3.DatabaseError:
            return None


def _indexed(reading: sqlite3.Connection) -> list[str]:
    """Return the ids of all runs by their index, as far as it can be read."""
    found: list[str] = []
    try:
        for (run,) in reading.execute(f"SELECT id FROM {runs.name} ORDER BY id"):
            found.append(run)
    except sqlite3.DatabaseError:
        pass
    return found


def _complete(writing: sqlite3.Connection, names: list[str]) -> None:
    """Take away what belongs to nothing that was saved, and fill the places of lost parameters."""
    for name in names:
        columns = {row[1] for row in writing.execute(f'PRAGMA table_info("{name}")')}
        if "run" in columns:
            writing.execute(f'DELETE FROM "{name}" WHERE run NOT IN (SELECT id FROM {runs.name})')
    writing.execute(
        f"DELETE FROM {tiles.name} WHERE NOT EXISTS (SELECT 1 FROM {spans.name} s "
        f"WHERE s.run = {tiles.name}.run AND s.level = {tiles.name}.level "
        f"AND s.first = {tiles.name}.first)"
    )
    if parameter_blocks.name in names:
        _fill(writing)


def _fill(writing: sqlite3.Connection) -> None:
    """Put something in the place of each block of parameters that is lost."""
    insert = f"INSERT INTO {parameter_blocks.name} (run, first, size, data) VALUES (?, ?, ?, ?)"
    counted = writing.execute(f"SELECT id, parameters + removed FROM {runs.name}").fetchall()
    for run, count in counted:
        query = f"SELECT first, size FROM {parameter_blocks.name} WHERE run = ?"
        there = dict(writing.execute(query, (run,)).fetchall())
        end = max([count, *(first + size for first, size in there.items())])
        for first in range(0, end, BLOCK):
            if first not in there:
                table = lost(first, min(BLOCK, end - first))
                (block,) = pack(table)
                writing.execute(insert, (run, first, block.size, block.data))
