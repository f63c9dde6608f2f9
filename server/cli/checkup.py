"""What a set-up is checked for."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from ..protocol.version import UPGRADE, VERSION
from ..store.integrity import faults, reader
from ..store.sqlite import FILE_NAME
from ..store.tables import SCHEMA_VERSION, meta
from .client import Client
from .errors import ClientError, Failed, Unreachable
from .terminal import size

LEAST_FREE = 200 * 10**6
"""Bytes below which a disk counts as full."""

_FAULTS = 5
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Finding:
    """What was found of one thing; `wrong` has what to do in its sentence."""

    subject: str
    sentence: str
    wrong: bool = False


def programs() -> Iterator[Finding]:
    """Look at Python and at the packages that Gradgate needs."""
    yield Finding("Python", f"{platform.python_version()} at {sys.executable}")
    yield Finding("Gradgate", VERSION)
    yield Finding("SQLite", sqlite3.sqlite_version)
    found = []
    for needed in requires("gradgate") or ():
        if "extra ==" in needed:
            continue
        name = _NAME.match(needed)
        if name is None:
            continue
        try:
            found.append(f"{name[0]} {version(name[0])}")
        except PackageNotFoundError:
            if name[0] == "torch":
                yield Finding("torch", "is not installed: jobs import it, and a server does not.")
            else:
                yield Finding(
                    name[0], f"is not installed: `pip install '{needed}'` brings it.", wrong=True
                )
    yield Finding("packages", ", ".join(found))


def data_folder(folder: Path) -> Iterator[Finding]:
    """Look at the folder, its modes, its disk and its data base."""
    if not folder.is_dir():
        yield Finding(
            "data folder", f"{folder} is not there yet: `gradgate serve` makes it when it starts."
        )
        return
    yield Finding("data folder", str(folder))
    yield from _modes(folder)
    free = shutil.disk_usage(folder).free
    full = ": make room, since a server that cannot write keeps nothing." if _full(free) else ""
    yield Finding("free space", f"{size(free)}{full}", wrong=_full(free))
    file = folder / FILE_NAME
    if file.is_file():
        yield from _data_base(file)
    else:
        yield Finding("data base", f"there is none in {folder} yet.")


def server(client: Client, expected: bool) -> Finding:
    """Ask a server how it is; one that is not there is wrong where it is `expected`."""
    try:
        health = client.health()
    except Unreachable as error:
        return Finding("server", str(error), wrong=expected)
    except Failed as error:
        return Finding("server", f"{client.url} says: {error}", wrong=True)
    except ClientError as error:
        return Finding("server", str(error), wrong=True)
    if health.version != VERSION:
        return Finding(
            "server",
            f"{client.url} is version {health.version} and this is {VERSION}: upgrade the older "
            f"by {UPGRADE}.",
            wrong=True,
        )
    return Finding("server", f"{client.url} answers, version {health.version}.")


def _full(free: int) -> bool:
    return free < LEAST_FREE


def _modes(folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.W_OK):
        yield Finding(
            "modes", f"you cannot write in {folder}: choose another with --data.", wrong=True
        )
    if sys.platform == "win32":
        return
    if folder.stat().st_mode & 0o022:
        yield Finding("modes", f"others can write in {folder}: `chmod go-w {folder}`.", wrong=True)
    for path in sorted(folder.glob(f"{FILE_NAME}*")):
        if path.stat().st_mode & 0o077:
            yield Finding(
                "modes", f"others can read or write {path}: `chmod go-rw {path}`.", wrong=True
            )


def _data_base(file: Path) -> Iterator[Finding]:
    if file.stat().st_size == 0:
        yield Finding(
            "data base",
            f"{file} is empty (0 bytes): put a backup in its place, or remove it.",
            wrong=True,
        )
        return
    try:
        found = faults(file, _FAULTS)
        stored = "?" if found else _schema_version(file)
    except sqlite3.Error as error:
        yield Finding("data base", f"{file} cannot be read ({error}).", wrong=True)
        return
    if found:
        yield Finding(
            "data base",
            f"{file} is damaged ({'; '.join(found)}): stop its server, put a backup in its place, "
            f"or save what can be read by `gradgate doctor --data {file.parent} --salvage FOLDER`.",
            wrong=True,
        )
    elif not stored.isdecimal() or int(stored) > SCHEMA_VERSION:
        yield Finding(
            "data base",
            f"{file} has schema version {stored} and this Gradgate knows {SCHEMA_VERSION}: "
            f"{UPGRADE}.",
            wrong=True,
        )
    else:
        older = "" if int(stored) == SCHEMA_VERSION else ", which the next start brings up to date"
        yield Finding(
            "data base",
            f"{file} is sound: {size(file.stat().st_size)}, schema version {stored}{older}.",
        )


def _schema_version(file: Path) -> str:
    query = select(meta.c.value).where(meta.c.key == "schema_version")
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with closing(reader(file)) as connection:
        row = connection.execute(text).fetchone()
    return "?" if row is None else str(row[0])
