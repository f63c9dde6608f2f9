"""A real PostgreSQL of the tests' own, with as many data bases as they want."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.schema import CreateSchema

_USER = "gradgate"
_DATABASE = "postgres"
_PROGRAMS = "/usr/lib/postgresql/*/bin"
# PostgreSQL refuses to run as root, so root runs it as this user, whom every Unix has.
_NOBODY = "nobody"
_WITHIN = 60


class NoPostgresql(Exception):
    """The programs of PostgreSQL are missing; the message says what to do."""

    def __init__(self) -> None:
        super().__init__(
            f"no initdb and pg_ctl were found on the PATH or in {_PROGRAMS}: install a PostgreSQL "
            "server, with `apt-get install postgresql` or `brew install postgresql` say"
        )


class Cluster:
    """A PostgreSQL in a folder of its own, reached by a socket there; nothing waits for a disk."""

    def __init__(self) -> None:
        """Make and start it; raises `NoPostgresql`."""
        self._programs = _programs()
        # A short path, since a socket's has at most a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="gradgate-pg-", dir="/tmp"))
        self._user = _NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._data = self.folder / "data"
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", _USER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        self.start()

    def start(self) -> None:
        """Start it, again after `kill`."""
        options = f"-F -k {self.folder} -c listen_addresses= -c full_page_writes=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", options, "start")

    def kill(self) -> None:
        """End it at once, as a crash would, with every connection to it."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def database(self) -> URL:
        """Return the address of a new data base."""
        return database(self.folder, f"test_{secrets.token_hex(6)}")

    def remove(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        # What pg_ctl starts would keep a pipe open, so its words go into a file.
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_WITHIN,
                user=self._user,
                cwd=self.folder,
            )
            output.seek(0)
            said = output.read().decode(errors="replace")
        assert ended.returncode == 0, f"{program} {arguments}: {said}"


def database(cluster: Path, name: str) -> URL:
    """Return the address of a data base of the cluster in a folder, made when there is none.

    It is a schema, which servers take for all that there is: made at once, and small.
    """
    url = URL.create("postgresql+psycopg", _USER, database=_DATABASE, query={"host": str(cluster)})
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(CreateSchema(name, if_not_exists=True))
    engine.dispose()
    return url.update_query_dict({"options": f"-c search_path={name}"})


def _programs() -> Path:
    """Return the folder of the programs: of those on the PATH, else of the newest installed."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += map(Path, sorted(glob.glob(_PROGRAMS), key=_version, reverse=True))
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise NoPostgresql


def _version(folder: str) -> float:
    return float(Path(folder).parent.name)
