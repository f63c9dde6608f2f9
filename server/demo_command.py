"""The command `gradgate demo`: a dashboard and a job to watch on it."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import click
import platformdirs

from .interrupts import until_stopped
from .service import Service, ServiceError
from .settings import DEFAULT_PORT, Settings
from .store import StoreError

_POLL = 0.2
_CLOSE_WITHIN = 20.0
_ANSWER_WITHIN = 5.0


@click.command()
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Train so many steps and end; without it, until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="GRADGATE_PORT",
    help=f"0 takes a free port.  [default: {DEFAULT_PORT}, or a free one when that is in use]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=lambda: platformdirs.user_data_path("gradgate"),
    show_default="the user's data folder",
    envvar="GRADGATE_DATA",
    help="The folder that keeps every run.",
)
def demo(steps: int | None, port: int | None, data: Path) -> None:
    """Train on handwritten digits, live on a dashboard."""
    logging.basicConfig(format="%(levelname)s: %(message)s")
    with until_stopped() as stopped:
        try:
            service = _service(data, port)
        except (ServiceError, StoreError) as error:
            raise click.ClickException(str(error)) from error
        with service:
            click.echo(f"Gradgate dashboard: {service.url}")
            launched = time.time()
            with _job(service.url, steps) as job:
                announced = False
                while job.poll() is None and not stopped.wait(_POLL):
                    announced = announced or _announce(service.url, launched)
                    if not service.running:
                        raise click.ClickException("The server ended: its log above says why.")
    if not stopped.is_set():
        sys.exit(_exit_code(job.returncode))


def _service(data: Path, port: int | None) -> Service:
    """A server on the port that was asked for, else on the default one or a free one."""
    try:
        return Service(Settings(data, port=DEFAULT_PORT if port is None else port))
    except ServiceError as error:
        cause = error.__cause__
        in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        if port is not None or not in_use:
            raise
    click.echo(f"Port {DEFAULT_PORT} is in use, so a free one is taken.")
    return Service(Settings(data, port=0))


@contextmanager
def _job(url: str, steps: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """The training job, ended and waited for at the end.

    It starts with SIGINT ignored, which lasts until it sets a handler of its own: a Ctrl-C in a
    terminal goes to both processes, and one that is still importing torch would end in a traceback.
    """
    command = [sys.executable, "-m", "gradgate.probe.demo"]
    if steps is not None:
        command += ["--steps", str(steps)]
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job = subprocess.Popen(command, env={**os.environ, "GRADGATE_SERVER": url})
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        yield job
    finally:
        _end(job)


def _end(job: subprocess.Popen[bytes]) -> None:
    """Ask a job to end, and insist when it does not."""
    if job.poll() is None:
        job.terminate()
    try:
        job.wait(_CLOSE_WITHIN)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()


def _announce(url: str, launched: float) -> bool:
    """Print the address of the job's page once the server knows the job."""
    for run in _runs(url):
        if run["started"] >= launched:
            _say(f"This run: {url}/runs/{run['id']}")
            return True
    return False


def _runs(url: str) -> list[dict[str, Any]]:
    """The runs that the server knows; none while it does not answer."""
    straight = build_opener(ProxyHandler({}))
    try:
        with straight.open(f"{url}/api/runs", timeout=_ANSWER_WITHIN) as answer:
            runs: list[dict[str, Any]] = json.load(answer)["runs"]
    except OSError:
        return []
    return runs


def _say(line: str) -> None:
    """Print a line, in place of the progress bar when there is one; the bar is drawn again."""
    over = "\r\x1b[2K" if sys.stderr.isatty() and sys.stdout.isatty() else ""
    click.echo(over + line)


def _exit_code(returncode: int) -> int:
    """What a shell reports: 128 and the number for a process that a signal ended."""
    return returncode if returncode >= 0 else 128 - returncode
