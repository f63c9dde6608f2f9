"""The files that pages use, at addresses that name a version, which follows from their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOREVER = "public, max-age=31536000, immutable"
NO_CACHE = "no-cache"

_DIGITS = 16

Stamp = tuple[int, int]
"""When a file was written, in nanoseconds, and its size: another stamp, another file."""


@dataclass(frozen=True)
class Version:
    """What the files of a folder held when they were read."""

    name: str
    stamps: Mapping[str, Stamp]


class Files(StaticFiles):
    """Files of a folder below `/{place}/{version}/`.

    A browser keeps what it has got for ever, imports of modules included, since they are relative.
    At the address of another version, of a page from before an upgrade, the file that there is now
    is served too, and not kept.
    """

    def __init__(self, place: str, folder: Path) -> None:
        self._folder = folder.resolve()
        super().__init__(directory=self._folder)
        self.path = f"/{place}/{{version}}"
        self._place = place
        self._version = self._read()

    def address(self) -> str:
        """Return below which address the files are as they are now."""
        if self._version.stamps != dict(self._stamps()):
            self._version = self._read()
        return f"/{self._place}/{self._version.name}"

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a file, or with 304 when the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        known = self._version
        kept = scope["path_params"]["version"] == known.name and known.stamps.get(
            str(full_path)
        ) == _stamp(stat_result)
        response.headers["Cache-Control"] = FOREVER if kept else NO_CACHE
        return response

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        names = self._folder.rglob("*")
        return ((str(each), _stamp(each.stat())) for each in sorted(names) if each.is_file())

    def _read(self) -> Version:
        stamps = dict(self._stamps())
        digest = hashlib.sha256()
        for name in stamps:
            path = Path(name)
            digest.update(path.relative_to(self._folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return Version(digest.hexdigest()[:_DIGITS], stamps)


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_mtime_ns, stat.st_size
