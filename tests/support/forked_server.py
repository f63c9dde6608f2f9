"""`gradgate serve` in a process that is forked from one which has imported all that it takes.

A new interpreter takes a second for that, which hundreds of tests would wait for.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TextIO

from gradgate.server.cli.main import main


class ForkedServer:
    """One server; what it prints, stderr too, comes out of `stdout`."""

    def __init__(self, *arguments: str) -> None:
        """Start it, with this process's environment and folder."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["gradgate.server.cli.main"])
        reader, writer = context.Pipe(duplex=False)
        given = (writer, arguments, dict(os.environ), os.getcwd())
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        writer.close()
        self.stdout: TextIO = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    def poll(self) -> int | None:
        """Return its exit code, negative where a signal ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        """Return its exit code once it has ended."""
        self._process.join(seconds)
        code = self._process.exitcode
        assert code is not None, f"the server still runs after {seconds} s"
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


def _serve(
    output: Connection, arguments: Sequence[str], environment: Mapping[str, str], folder: str
) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    warnings.simplefilter("error", DeprecationWarning)
    main(["serve", *arguments], prog_name="gradgate")
