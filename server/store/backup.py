"""Copies of an SQLite data base, made while a server writes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from .errors import StoreError
from .integrity import faults, is_damage, reader
from .sqlite import FILE_NAME


def back_up(folder: Path, file: Path) -> int:
    """Copy the data base of a data folder, as it is now, to a new file; return its size in bytes.

    Reading it keeps no server from writing. The copy has its name once it is whole, was looked
    through and is on the disk. Raises `StoreError` with a sentence that says what to do.
    """
    source = folder / FILE_NAME
    if not source.is_file():
        raise StoreError(
            f"There is no data base in {folder}: name the folder of `gradgate serve` with --data."
        )
    if file.exists():
        raise StoreError(f"{file} is there already, and is not overwritten: choose another name.")
    part = file.with_name(f"{file.name}.part")
    try:
        _copy(source, part)
        part.rename(file)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written ({error.strerror}): choose another place."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _copy(source: Path, part: Path) -> None:
    # SQLite takes an empty file for its copy, which keeps the mode that it was made with.
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(reader(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        found = faults(part, 1)
    except sqlite3.Error as error:
        raise StoreError(_failed(source, error)) from error
    if found:
        raise StoreError(f"The copy of {source} is damaged ({found[0]}): try another disk.")
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(source: Path, error: sqlite3.Error) -> str:
    if is_damage(error):
        return (
            f"{source} is damaged ({error}), and cannot be copied whole: save what can be read by "
            f"`gradgate doctor --data {source.parent} --salvage FOLDER`."
        )
    return f"{source} cannot be copied ({error}): see that there is room for the copy."
