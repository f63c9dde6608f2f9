"""Python programs in processes that are forked from one which has imported what takes long.

A new interpreter takes seconds to import torch, or the server, which hundreds of tests would wait
for. What it runs after that, and how it ends, is a new interpreter's.
"""

from __future__ import annotations

import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, TextIO

ZYGOTE = Path(__file__).with_name("zygote.py")

TORCH = ("torch", "torch._dynamo", "websockets.asyncio.client")
"""What a training job imports: the first optimizer imports torch._dynamo."""
SERVER = ("gradgate.server.cli.main",)
"""What the command line imports."""


class ForkedProcess:
    """A process that runs Python; what it has of `subprocess.Popen` is the same."""

    def __init__(
        self,
        arguments: Sequence[str],
        stdout: int,
        stderr: int,
        *,
        imported: Sequence[str] = TORCH,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        """``arguments``: as after `python`, `[-W FILTER] FILE | -m NAME | -c CODE` and its own."""
        given = {
            "arguments": list(map(str, arguments)),
            "environment": dict(os.environ if env is None else env),
            "folder": str(cwd or os.getcwd()),
        }
        told, telling = os.pipe()
        channel = _zygote(tuple(imported))
        socket.send_fds(channel, [json.dumps(given).encode()], [stdout, stderr, telling])
        os.close(telling)
        self._told: IO[bytes] = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, negative where a signal ended it; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        if self.returncode is None:
            select.select([self._told], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


class ForkedPython(ForkedProcess):
    """A process whose output, stderr too, is read from `stdout` while it runs."""

    def __init__(
        self,
        *arguments: str,
        imported: Sequence[str] = TORCH,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        reader, writer = os.pipe()
        super().__init__(arguments, writer, writer, imported=imported, env=env, cwd=cwd)
        os.close(writer)
        self.stdout: TextIO = os.fdopen(reader, encoding="utf-8")
        self._rest: Thread | None = None
        self._read_last = ""

    def communicate(self, timeout: float | None = None) -> str:
        """Return what it printed that was not read yet, once it has ended."""
        if self._rest is None:
            self._rest = Thread(target=self._read, daemon=True)
            self._rest.start()
        self._rest.join(timeout)
        if self._rest.is_alive():
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        self.stdout.close()
        self.wait(timeout)
        return self._read_last

    def _read(self) -> None:
        self._read_last = self.stdout.read()


def run_python(
    *arguments: str,
    imported: Sequence[str] = TORCH,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; one that takes longer is killed, and subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = ForkedProcess(
            arguments, out.fileno(), err.fileno(), imported=imported, env=env, cwd=cwd
        )
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        printed, complained = out.read().decode(), err.read().decode()
    return subprocess.CompletedProcess([*arguments], code, printed, complained)


@functools.cache
def _zygote(imported: Sequence[str]) -> socket.socket:
    """Start a process that has imported these and forks; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.set_inheritable(True)
    os.posix_spawn(
        sys.executable,
        [sys.executable, str(ZYGOTE), str(theirs.fileno()), *imported],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
    )
    theirs.close()
    return ours
