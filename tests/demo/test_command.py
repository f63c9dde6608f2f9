"""`gradgate demo`: a server and a job, which come together."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

DASHBOARD = re.compile(r"Gradgate dashboard: (http://127\.0\.0\.1:(\d+))\n")
RUN = re.compile(r"This run: http://127\.0\.0\.1:\d+/runs/([0-9a-f]{16})\n")
STAYS = re.compile(r"The job has ended\. Its dashboard stays at (http://\S+): Ctrl-C ends it\.\n")
LAST = re.compile(r"test accuracy \d+\.\d%\n\Z")

Signal = Callable[["Demo"], None]


class Demo:
    """The command, in a process group of its own as a shell would start it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._output = folder / "output.txt"
        environment = {**os.environ, "XDG_DATA_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        environment.pop("GRADGATE_PORT", None)
        environment.pop("GRADGATE_DATA", None)
        command = [
            sys.executable,
            "-c",
            "from gradgate.server.cli.main import main; main()",
            "demo",
        ]
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [*command, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """All that both processes printed so far."""
        return self._output.read_text()

    def jobs(self) -> list[psutil.Process]:
        """The training job, once it runs."""
        return psutil.Process(self.process.pid).children()

    def trains(self) -> bool:
        """Whether the server knows the job and some steps are made."""
        assert self.process.poll() is None, self.output
        return bool(RUN.search(self.output)) and "step 25: " in self.output

    def code(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(120)


@contextlib.contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    """Start the command and leave nothing of it behind."""
    started = Demo(folder, *options)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


def ctrl_c(running: Demo) -> None:
    """Interrupt both processes, as a terminal does."""
    os.killpg(running.process.pid, signal.SIGINT)


def interrupt(running: Demo) -> None:
    """Interrupt the command alone."""
    running.process.send_signal(signal.SIGINT)


def terminate(running: Demo) -> None:
    """Terminate the command alone."""
    running.process.terminate()


def test_steps_end_a_demo_that_is_to_exit(tmp_path: Path) -> None:
    """It prints both addresses and the progress, ends with the job, and the run is kept."""
    data = tmp_path / "data"
    with demo(tmp_path, "--steps", "50", "--exit", "--port", "0", "--data", str(data)) as running:
        assert running.code() == 0
        output = running.output

    assert DASHBOARD.match(output)
    run = RUN.search(output)
    assert run is not None, output
    assert "step 50: loss " in output
    assert LAST.search(output)
    with ServerProcess(data) as server:
        row = server.get(f"/api/runs/{run[1]}")
    assert (row["name"], row["status"], row["step"]) == ("digits", "finished", 50)


def test_the_dashboard_stays_when_the_job_has_ended(tmp_path: Path) -> None:
    """The terminal says so; the finished run is served until Ctrl-C, with the job's exit code."""
    data = tmp_path / "data"
    with demo(tmp_path, "--steps", "30", "--port", "0", "--data", str(data)) as running:
        stays = wait_for(lambda: STAYS.search(running.output), 60)
        run = RUN.search(running.output)
        assert run is not None, running.output
        with urllib.request.urlopen(f"{stays[1]}/api/runs/{run[1]}") as answer:
            assert json.load(answer)["status"] == "finished"
        ctrl_c(running)
        assert running.code() == 0


def test_the_dashboard_of_a_failed_job_stays(tmp_path: Path) -> None:
    """What the job did before is still there to be looked at, and the exit code is not lost."""
    with demo(tmp_path, "--port", "0", "--data", str(tmp_path / "data")) as running:
        (job,) = wait_for(running.jobs, 60)
        job.kill()
        wait_for(lambda: "has failed with exit code 137" in running.output, 60)
        terminate(running)
        assert running.code() == 128 + signal.SIGKILL


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("send", [ctrl_c, terminate])
def test_interrupt_ends_both_processes(tmp_path: Path, send: Signal) -> None:
    """Ctrl-C and SIGTERM end with code 0, the last accuracy and a finished run."""
    data = tmp_path / "data"
    with demo(tmp_path, "--port", "0", "--data", str(data)) as running:
        wait_for(running.trains, 60)
        (job,) = running.jobs()
        send(running)
        assert running.code() == 0
        assert not job.is_running()
        output = running.output

    assert LAST.search(output)
    assert "Traceback" not in output
    run = RUN.search(output)
    assert run is not None
    with ServerProcess(data) as server:
        assert server.get(f"/api/runs/{run[1]}")["status"] == "finished"


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("send", [ctrl_c, interrupt])
def test_interrupt_while_the_job_still_starts(tmp_path: Path, send: Signal) -> None:
    """There is no traceback out of an import, and no process is left behind."""
    with demo(tmp_path, "--port", "0", "--data", str(tmp_path / "data")) as running:
        (job,) = wait_for(running.jobs, 60)
        send(running)
        assert running.code() == 0
        assert not job.is_running()
        assert DASHBOARD.fullmatch(running.output)


def test_failed_job_fails_the_demo(tmp_path: Path) -> None:
    """The exit code is that of the job, as a shell reports it."""
    with demo(tmp_path, "--exit", "--port", "0", "--data", str(tmp_path / "data")) as running:
        (job,) = wait_for(running.jobs, 60)
        job.kill()
        assert running.code() == 128 + signal.SIGKILL


def test_port_that_was_asked_for_and_is_in_use_is_refused(tmp_path: Path) -> None:
    """The message names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path, "--port", str(port), "--data", str(tmp_path / "data")) as running:
            assert running.code() == 1
            assert f"Port {port} of 127.0.0.1 is in use" in running.output


def test_everything_taken_that_nobody_asked_for_is_replaced(tmp_path: Path) -> None:
    """Beside another server the demo takes a free port and a folder of its own, and says so."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8765)))
        stack.enter_context(ServerProcess(tmp_path / "gradgate"))
        running = stack.enter_context(demo(tmp_path, "--steps", "1", "--exit"))
        assert running.code() == 0
        output = running.output

    dashboard = DASHBOARD.search(output)
    assert dashboard is not None, output
    assert f"Port 8765 is in use: the dashboard takes port {dashboard[2]}.\n" in output
    assert "Another Gradgate server uses the data folder" in output
    assert LAST.search(output)
