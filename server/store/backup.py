"""Copies of an SQLite data base, made while a server writes it."""

from __future__ import annotations

from pathlib import Path

from .copies import copy_whole
from .errors import StoreError
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
    copy_whole(source, file)
    return file.stat().st_size
