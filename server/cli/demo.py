"""The command `gradgate demo`: a dashboard and a job to watch on it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import click
import platformdirs

from ..store.errors import StoreError, StoreInUseError
from ..web.service import Service, ServiceError
from ..web.settings import DEFAULT_PORT, Settings
from .client import Client
from .data_folder import DataFolder
from .errors import ClientError
from .log_format import begin_log
from .signals import until_stopped

_POLL = 0.2
_CLOSE_WITHIN = 20.0


@click.command()
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Train so many steps; without it, until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="GRADGATE_PORT",
    help=f"0 takes a free port.  [default: {DEFAULT_PORT}, or a free one when that is in use]",
)
@click.option(
    "--data",
    type=DataFolder(),
    envvar="GRADGATE_DATA",
    help="The folder that keeps every run.  [default: the user's data folder]",
)
@click.option(
    "--exit", "exits", is_flag=True, help="End with the job; without it, the dashboard stays."
)
def demo(steps: int | None, port: int | None, data: Path | None, exits: bool) -> None:
    """Train on handwritten digits, live on a dashboard.

    When the job has ended its dashboard stays until Ctrl-C. The exit code is the job's, or 0
    where Ctrl-C ended the job.
    """
    begin_log("text", "warning")
    try:
        with until_stopped() as stopped, _service(port, data) as service:
            code = _train(service, steps, stopped)
            if not exits:
                _stay(service, code, stopped)
    except (ServiceError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


def _train(service: Service, steps: int | None, stopped: Event) -> int:
    """Run the job until it ends or is stopped; the exit code, 0 when it was stopped."""
    click.echo(f"Gradgate dashboard: {service.url}")
    launched = time.time()
    announced = False
    with _job(service.url, steps) as job:
        while job.poll() is None and not stopped.wait(_POLL):
            _check(service)
            announced = announced or _announce(service.url, launched)
    return 0 if stopped.is_set() else _exit_code(job.returncode)


def _stay(service: Service, code: int, stopped: Event) -> None:
    """Serve what the job left until the demo is stopped, and say so."""
    if stopped.is_set():
        return
    ended = "has ended" if code == 0 else f"has failed with exit code {code}"
    click.echo(f"The job {ended}. Its dashboard stays at {service.url}: Ctrl-C ends it.")
    while not stopped.wait(_POLL):
        _check(service)


def _check(service: Service) -> None:
    if not service.running:
        raise ServiceError("The server ended by itself: its log above says why.")


@contextmanager
def _service(port: int | None, data: Path | None) -> Iterator[Service]:
    """Yield a server; what another server has and nobody asked for is replaced, which is said."""
    with ExitStack() as stack:
        try:
            service = _listening(port, data or platformdirs.user_data_path("gradgate"))
        except StoreInUseError:
            if data is not None:
                raise
            click.echo("Another Gradgate server uses the data folder: this run is not kept.")
            folder = stack.enter_context(TemporaryDirectory(prefix="gradgate-"))
            service = _listening(port, Path(folder))
        yield stack.enter_context(service)


def _listening(port: int | None, data: Path) -> Service:
    """Return a server on the port that was asked for, else on the default one or a free one."""
    try:
        return Service(Settings(data, port=DEFAULT_PORT if port is None else port))
    except ServiceError as error:
        cause = error.__cause__
        in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        if port is not None or not in_use:
            raise
    service = Service(Settings(data, port=0))
    click.echo(f"Port {DEFAULT_PORT} is in use: the dashboard takes port {service.port}.")
    return service


@contextmanager
def _job(url: str, steps: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the training job, which is ended and waited for at the end.

    A Ctrl-C in a terminal goes to both processes. The job gets SIGINT blocked and unblocks it once
    it has a handler, lest one that still imports torch end in a traceback.
    """
    command = [sys.executable, "-m", "gradgate.probe.demo"]
    if steps is not None:
        command += ["--steps", str(steps)]
    with _blocked(signal.SIGINT):
        job = subprocess.Popen(command, env={**os.environ, "GRADGATE_SERVER": url})
    try:
        yield job
    finally:
        _end(job)


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Hold a signal back from this thread, and from a process that it starts meanwhile."""
    if sys.platform == "win32":
        yield
        return
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


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
    try:
        runs = Client(url, None).runs()
    except ClientError:
        return False
    for run in runs:
        if run.started >= launched:
            _say(f"This run: {url}/runs/{run.id}")
            return True
    return False


def _say(line: str) -> None:
    """Print a line, in place of the progress bar when there is one; the bar is drawn again."""
    over = "\r\x1b[2K" if sys.stderr.isatty() and sys.stdout.isatty() else ""
    click.echo(over + line)


def _exit_code(returncode: int) -> int:
    """Return what a shell reports: 128 and the number for a process that a signal ended."""
    return returncode if returncode >= 0 else 128 - returncode
