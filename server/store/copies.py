"""Whole copies of an SQLite data base, made while it is in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from .errors import StoreError
from .integrity import faults, is_damage, reader


def copy_whole(source: Path, file: Path) -> None:
    """Copy a data base, as it is now, to a file, which a copy of before is replaced by.

    Reading it keeps nobody from writing. The copy has its name once it is whole, was looked through
    and is on the disk. Raises `StoreError` with a sentence that says what to do.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        _copy(source, part)
        part.replace(file)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written ({error.strerror}): choose another place."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def keep_before_upgrade(source: Path, file: Path) -> None:
    """Copy a data base that is about to be changed for good, beside it.

    Raises `StoreError` where there is no room, or it cannot be copied whole.
    """
    size, free = source.stat().st_size, shutil.disk_usage(source.parent).free
    if free < size:
        raise StoreError(
            f"The data base {source} is of an earlier Gradgate, and {_mib(size)} MiB are wanted "
            f"for a copy of it before it is upgraded, of which {_mib(free)} are free: free some "
            "room, or move the folder to a larger disk. It is as it was."
        )
    copy_whole(source, file)


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


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f}"
