"""The demo job as a process of its own, with no server in reach."""

from __future__ import annotations

import os
import re
import signal
import socket

import pytest

from tests.support.forked import ForkedPython, run_python


def demo(*options: str) -> list[str]:
    """Return the command of the demo job; nothing listens on the port that it is given."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{unused.getsockname()[1]}"
    return ["-m", "gradgate.probe.demo", "--server", server, *options]


@pytest.fixture(scope="module")
def trained() -> list[str]:
    """The lines that a job of 300 steps prints with the seed that is the default, 0."""
    return run_python(*demo("--steps", "300"), timeout=150).stdout.splitlines()


def test_300_steps_reach_95_percent(trained: list[str]) -> None:
    """The job trains, prints its progress without a terminal and classifies the test digits."""
    steps = [line.split(":")[0] for line in trained[:-1]]
    assert steps == [f"step {n}" for n in range(25, 301, 25)]
    final = re.fullmatch(r"test accuracy (\d+\.\d)%", trained[-1])
    assert final is not None, trained
    assert float(final[1]) > 95


def test_seed_decides_the_outcome(trained: list[str]) -> None:
    """Equal seeds print equal lines, different seeds do not."""
    same, other = (run_python(*demo("--steps", "25", "--seed", seed)).stdout for seed in ("0", "4"))

    first = trained[0]
    assert same.splitlines() == [first, first[first.index("test accuracy") :]]
    assert other.splitlines()[0] != first


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_interrupt_ends_the_job_cleanly() -> None:
    """Without a number of steps it trains until interrupted, and then prints its accuracy."""
    job = ForkedPython(*demo())
    assert any(line.startswith("step 25: loss ") for line in job.stdout)
    job.send_signal(signal.SIGINT)
    rest = job.communicate(timeout=60)

    assert job.returncode == 0
    assert re.fullmatch(r"test accuracy \d+\.\d%", rest.splitlines()[-1])
    assert "Traceback" not in rest


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("steps", ["0", "-1", "many"])
def test_impossible_number_of_steps_is_refused(steps: str) -> None:
    """The message names the option and what was given."""
    job = run_python(*demo("--steps", steps))

    assert job.returncode == 2
    assert "--steps" in job.stderr
    assert repr(steps) in job.stderr
