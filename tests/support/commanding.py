"""The command line against a real server, in this process or in one of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Thread

from click.testing import CliRunner, Result

from gradgate.server.cli import follow as following
from gradgate.server.cli.main import main

from .forked import SERVER, ForkedPython

_VARIABLES = ("GRADGATE_SERVER", "GRADGATE_TOKEN")


class Terminal:
    """Runs `gradgate` commands one after the other, while the test plays the job."""

    def __init__(self) -> None:
        self._runner = CliRunner()
        self._typed = ""

    def type(self, text: str) -> None:
        """Let later commands read a text from stdin; before there is none."""
        self._typed = text

    def start(self, *arguments: str, **variables: str) -> Future[Result]:
        """Start a command and return how it ends; one that never does keeps no test from ending."""
        ended: Future[Result] = Future()

        def work() -> None:
            try:
                ended.set_result(self.run(*arguments, **variables))
            except Exception as error:  # noqa: BLE001 - raised again by the future
                ended.set_exception(error)

        Thread(target=work, daemon=True).start()
        return ended

    def run(self, *arguments: str, **variables: str) -> Result:
        """Run a command to its end; an exception that is none of its endings is raised."""
        environment = {**dict.fromkeys(_VARIABLES), **variables}
        result = self._runner.invoke(
            main, arguments, env=environment, input=self._typed, prog_name="gradgate"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


def spawn_gradgate(arguments: Sequence[str], patience: float = following.PATIENCE) -> ForkedPython:
    """Start a `gradgate` command in a process of its own, with deprecations as errors.

    `patience` is how long it waits for a server that went, in seconds.
    """
    code = (
        "from gradgate.server.cli import follow, main\n"
        f"follow.PATIENCE = {patience}\n"
        "main.main(prog_name='gradgate')"
    )
    return ForkedPython(
        "-W",
        "error::DeprecationWarning",
        "-c",
        code,
        *arguments,
        imported=SERVER,
        env={name: value for name, value in os.environ.items() if name not in _VARIABLES},
    )
