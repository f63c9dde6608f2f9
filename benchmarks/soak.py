"""Kill, stop and cut everything for a while, and hold what is left against a ledger.

    python -m benchmarks.soak [--minutes N] [--seed N]

One job after the other trains, and sends through a proxy to one server. All the time something is
killed or stopped: the server (SIGKILL, and started again on its data; SIGSTOP), the job (SIGKILL,
and another begins), the network (`tests/support/proxying.py`) and the disk (no room for what cannot
be sent; a folder that is none). Meanwhile commands are asked for. Each job writes on its own what
it did, and this script what it asked for; at the end both have to be what is stored and applied:

- of a job that ended, each step once, with its loss, but for what neither a server nor a disk took
  at its end; of one that was killed, all of its steps and losses but those of the last 5 seconds,
  or of the time in which the disk took nothing, its steps without a gap;
- each command that was accepted once; the weights were frozen and gates were made at the very steps
  that the reports of commands say, and at no others.

It exits with 1, and says what differs, where one of this is not so. The seed decides what is done,
and when; not what it meets.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import io
import itertools
import json
import math
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from tests.support.forked import ForkedPython
from tests.support.proxying import Proxy
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

JOB = Path(__file__).with_name("soak_job.py")
TARGETS = ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias")
EXPIRES = 8.0
PATIENCE = 5.0
"""Seconds without a word of the server after which a job makes another connection."""
ON_DISK_WITHIN = 5.0
"""Seconds after which what was measured is promised to be on the disk."""
SLACK = 5.0
"""Seconds that a thread may be late on a machine that has much to do."""
MOST_SENDERS = 5
"""Jobs that try, one after the other, to send what those before them left."""
FULL = 20_000
"""Bytes that a file may have where the disk is full."""
ENDS = ("applied", "verified", "superseded", "rejected", "drifted")
"""States in which a command may be when its job is over; one that is applied had no step to prove
it."""


@dataclass
class Asked:
    """A command that was asked for."""

    run: str
    by: str
    accepted: bool
    """Whether the server has said that it took it; it may have been killed before it said so."""


@dataclass
class Job:
    """A job, and what it wrote down."""

    folder: Path
    process: ForkedPython
    killed: float | None = None
    """When it was killed."""
    disk_failed: float | None = None
    """Since when the disk took nothing, while it does."""
    disk_failed_at_end: float | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""

    @property
    def said(self) -> str:
        """What it said at its end, in a line."""
        return " | ".join(self.output.splitlines()[-5:])

    def wait(self) -> None:
        """Wait for its end, and keep what it said."""
        self.output += self.process.communicate(60)

    @property
    def run(self) -> str:
        """The id of its run; empty before it is attached."""
        path = self.folder / "run"
        return path.read_text() if path.exists() else ""

    def read(self) -> None:
        """Read its ledger; of a line that was not finished the step is none."""
        for file in sorted((self.folder / "ledger").iterdir()):
            for line in file.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    self.steps.append(json.loads(line))


class Soak:
    """A server, a proxy, the job of the moment, and what happens to them."""

    def __init__(self, folder: Path, seed: int, minutes: float) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._ends = time.monotonic() + 60 * minutes
        self._spool = folder / "spool"
        self._server = ServerProcess(folder / "data", "--expire-after", str(EXPIRES)).start()
        self._proxy = Proxy(self._server.port)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._serves = True
        self.jobs: list[Job] = []
        self.asked: list[Asked] = []
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Do it all, until the time is up; then let everything come to its end."""
        with self._proxy:
            self._begin_job()
            faults = (
                *(self._kill_server, self._stop_server, self._kill_job, self._end_job),
                *(self._stop_job, self._break_network, self._break_network, self._fill_disk),
                self._take_folder_away,
            )
            next_fault = next_command = time.monotonic() + 2
            while time.monotonic() < self._ends:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    heapq.heappop(self._later)[2]()
                if now >= next_fault:
                    self._random.choice(faults)()
                    next_fault = time.monotonic() + self._random.uniform(0.5, 5.0)
                if now >= next_command:
                    self._ask()
                    next_command = time.monotonic() + self._random.uniform(0.1, 1.0)
                time.sleep(0.02)
            self._settle()

    def check(self) -> list[str]:
        """Return what differs between the ledgers and what is stored."""
        try:
            found = [fault for job in self.jobs for fault in self._check_job(job)]
        finally:
            self._server.stop()
        return found

    def _after(self, seconds: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), work))

    def _begin_job(self) -> None:
        folder = self._folder / f"job{len(self.jobs)}"
        folder.mkdir()
        variables = {
            "GRADGATE_SERVER": self._proxy.url,
            "GRADGATE_SPOOL": str(self._spool),
            "GRADGATE_SPOOL_MB": "1",
            "GRADGATE_STRICT": "1",
        }
        process = ForkedPython(
            str(JOB), str(folder), str(PATIENCE), env={**os.environ, **variables}
        )
        self.jobs.append(Job(folder, process))

    @property
    def _job(self) -> Job:
        return self.jobs[-1]

    def _kill_server(self) -> None:
        if self._serves:
            self.done["server killed"] += 1
            self._serves = False
            self._server.kill()
            self._after(self._random.uniform(0, 12), self._restart_server)

    def _restart_server(self) -> None:
        self._server.restart()
        self._serves = True

    def _stop_server(self) -> None:
        if self._serves:
            self.done["server stopped"] += 1
            self._serves = False
            self._server.signal(signal.SIGSTOP)
            self._after(self._random.uniform(0, 12), self._continue_server)

    def _continue_server(self) -> None:
        self._server.signal(signal.SIGCONT)
        self._serves = True

    def _kill_job(self) -> None:
        if self._job.run:
            self.done["job killed"] += 1
            job = self._job
            job.killed, job.disk_failed_at_end = time.time(), job.disk_failed
            job.process.kill()
            job.wait()
            self._begin_job()

    def _end_job(self) -> None:
        if self._job.run:
            self.done["job ended"] += 1
            self._job.disk_failed_at_end = self._job.disk_failed
            (self._job.folder / "stop").touch()
            self._job.wait()
            self._begin_job()

    def _stop_job(self) -> None:
        job = self._job
        if job.run:
            self.done["job stopped"] += 1
            job.process.send_signal(signal.SIGSTOP)
            time.sleep(self._random.uniform(0, 2 * PATIENCE))
            job.process.send_signal(signal.SIGCONT)

    def _break_network(self) -> None:
        proxy = self._proxy
        ways: dict[str, Callable[[], None]] = {
            "stalled": proxy.stall,
            "server's end lost": proxy.lose_server,
            "job's end lost": proxy.lose_job,
            "reset": proxy.reset,
            "cut": lambda: proxy.cut_after(self._random.randrange(1, 3000)),
            "held back": proxy.hold_back,
            "hello held back": self._hold_hello_back,
            "slow": lambda: proxy.slow(self._random.uniform(300, 30_000)),
            "refused": self._refuse,
        }
        name = self._random.choice(list(ways))
        self.done[f"network {name}"] += 1
        ways[name]()
        self._after(self._random.uniform(0, 12), self._mend_network)

    def _hold_hello_back(self) -> None:
        self._proxy.hold_hello_back()
        self._proxy.reset()

    def _refuse(self) -> None:
        self._proxy.refuse()
        self._proxy.reset()

    def _mend_network(self) -> None:
        self._proxy.slow(None)
        self._proxy.refuse(False)
        self._proxy.flow()
        self._proxy.deliver_late()

    def _fill_disk(self) -> None:
        job = self._job
        if job.run and job.disk_failed is None:
            self.done["disk full"] += 1
            job.disk_failed = time.time()
            resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, (FULL, -1))
            self._after(self._random.uniform(0, 12), lambda: self._empty_disk(job))

    def _empty_disk(self, job: Job) -> None:
        if job.process.poll() is None:
            resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
            # What waits goes to the disk once there is room, and that takes as long as ever.
            self._after(ON_DISK_WITHIN + SLACK, lambda: setattr(job, "disk_failed", None))

    def _take_folder_away(self) -> None:
        job, aside = self._job, self._spool.with_name("aside")
        if job.run and job.disk_failed is None and self._spool.is_dir():
            self.done["folder away"] += 1
            job.disk_failed = time.time()
            self._spool.rename(aside)
            self._spool.touch()

            def put_back() -> None:
                self._spool.unlink()
                aside.rename(self._spool)
                self._after(ON_DISK_WITHIN + SLACK, lambda: setattr(job, "disk_failed", None))

            self._after(self._random.uniform(0, 8), put_back)

    def _ask(self) -> None:
        run, by = self._job.run, f"soak {len(self.asked)}"
        if not run or not self._serves:
            return
        target = self._random.choice(TARGETS)
        kind = self._random.choice(("freeze", "thaw", "gate"))
        body: dict[str, Any] = {"kind": kind, "by": by, "target": target}
        if kind == "gate":
            body = {"kind": kind, "by": by, "site": f"param:{target}", "when": "step < 0"}
        try:
            answer = self._server.post(f"/api/runs/{run}/commands", body)
        except httpx.HTTPError:
            self.asked.append(Asked(run, by, accepted=False))
            return
        if answer.status_code == 202:
            self.done["command"] += 1
            self.asked.append(Asked(run, by, accepted=True))

    def _settle(self) -> None:
        """Mend everything, end the last job, and let others send what is left.

        Where the machine has much to do, the last goodbye may find no answer in time, and lie on
        the disk for whoever comes next.
        """
        while self._later:
            heapq.heappop(self._later)[2]()
        self._mend_network()
        self._end_job_well()
        for _ in range(MOST_SENDERS):
            self._begin_job()
            wait_for(lambda: self._job.run, 60, "the last job attaches")
            wait_for(lambda: not self._left(), 120, "all is sent")
            self._end_job_well()
            if not self._left():
                break
        for job in self.jobs:
            job.read()

    def _left(self) -> list[Path]:
        """Return what lies on the disk, as it could not be sent."""
        return list(self._spool.glob("*.gradgate"))

    def _end_job_well(self) -> None:
        wait_for(lambda: self._job.run, 60, "the job attaches")
        (self._job.folder / "stop").touch()
        self._job.wait()

    def _check_job(self, job: Job) -> list[str]:
        told = f"job {self.jobs.index(job)} (run {job.run})"
        made = {line["step"]: line for line in job.steps}
        answer = self._server.page(f"/api/runs/{job.run}")
        if answer.status_code == 404 and job.killed is not None:
            stored: list[int] = []
        else:
            stored = self._column(job.run, "samples", "step")
        last = max(stored, default=0)
        faults = []
        if "Traceback" in job.output or (job.killed is None and job.process.poll() != 0):
            faults.append(f"{told}: it failed: {job.output}")
        if stored != list(range(1, last + 1)):
            faults.append(f"{told}: what is stored has gaps: {_gaps(stored)}")
        if job.killed is None and last != len(made):
            if last < len(made) and self._could_lose(job, made[last + 1]["at"]):
                self.done["steps of jobs that ended with no server and no disk"] += len(made) - last
            else:
                faults.append(f"{told}: made {len(made)} steps, and {last} are stored; {job.said}")
        if job.killed is not None:
            lost = [line["at"] for step, line in made.items() if step > last]
            if lost and min(lost) < _safe_until(job):
                faults.append(f"{told}: lost {job.killed - min(lost):.1f} s before it was killed")
            self.done["steps lost with a killed job"] += len(lost)
            longest = int(1000 * (job.killed - min(lost, default=job.killed)))
            self.done["ms lost at most with a killed job"] = max(
                longest, self.done["ms lost at most with a killed job"]
            )
        self.done["steps"] += len(made)
        self.done["steps stored"] += last
        faults += [f"{told}: {fault}" for fault in self._check_losses(job, made, last)]
        faults += [f"{told}: {fault}" for fault in self._check_commands(job, made, last)]
        return faults

    def _could_lose(self, job: Job, at: float) -> bool:
        """Return whether a job that has ended could not but lose what it measured from ``at`` on.

        The disk had not taken all since, and the job has said that it loses something. Its goodbye
        may have found room where a sample did not.
        """
        failed = job.disk_failed_at_end
        if failed is None or at < failed - ON_DISK_WITHIN - SLACK:
            return False
        return "the disk has not taken them for later" in job.output

    def _check_losses(self, job: Job, made: dict[int, dict[str, Any]], last: int) -> list[str]:
        if not last:
            return []
        rows = self._table(job.run, "metrics")
        losses = {int(row["step"]): float(row["value"]) for row in rows if row["name"] == "loss"}
        # What is logged after a step is sent behind the sample of the next.
        behind = [step for step in range(1, last - 1) if step in made]
        lost = [step for step in behind if step not in losses]
        self.done["losses lost with a killed job"] += len(lost)
        wrong = [
            *(step for step in lost if made[step]["at"] < _safe_until(job)),
            *(
                step
                for step in behind
                if step in losses
                and not math.isclose(losses[step], made[step]["loss"], rel_tol=0.005)
            ),
        ]
        return [f"the loss of steps {wrong[:5]} differs"] if wrong else []

    def _check_commands(self, job: Job, made: dict[int, dict[str, Any]], last: int) -> list[str]:
        """Compare commands with what was asked for, and with what the job saw of them."""
        asked = [each for each in self.asked if each.run == job.run]
        rows: list[dict[str, Any]] = []
        if asked:
            path = f"/api/runs/{job.run}/commands"
            rows = self._server.get(path, limit=10_000)["commands"][::-1]
        there = Counter(row["by"] for row in rows)
        faults = [
            f"{each.by!r} is stored {there[each.by]} times"
            for each in asked
            if there[each.by] not in ((1,) if each.accepted else (0, 1))
        ]
        faults += [f"{by!r} was never asked for" for by in set(there) - {each.by for each in asked}]
        status = self._server.get(f"/api/runs/{job.run}")["status"] if last else "lost"
        if job.killed is None and status == "lost" and job.disk_failed_at_end is not None:
            self.done["job ended, and its goodbye found no server and no disk"] += 1
        elif job.killed is None and status == "lost":
            said = [event["sentence"] for event in self._events(job.run)]
            faults.append(f"its end is not stored; {job.said}; {said}")
        elif job.killed is None:
            open_ones = [row["id"] for row in rows if row["state"] not in ENDS]
            faults += [f"commands {open_ones} have no end"] if open_ones else []
        done = [row for row in rows if row["state"] in ("applied", "verified", "drifted")]
        self.done["commands applied"] += len(done)
        self.done["commands too late"] += sum(
            "before this job" in (row["reason"] or "") for row in rows
        )
        for target in TARGETS:
            told = _changes_told([row for row in done if row["target"] == target])
            seen = _changes_seen(made, lambda line, target=target: target in line["frozen"])  # type: ignore[misc]
            told, seen = ([each for each in side if each[0] < last] for side in (told, seen))
            if told != seen:
                faults.append(f"{target}: reports say {told}, and the job saw {seen}")
        gates = Counter(row["step"] for row in done if row["kind"] == "gate")
        grown = Counter(
            {
                later["step"]: later["gates"] - earlier["gates"]
                for earlier, later in pairwise([{"gates": 0}, *made.values()])
                if later["gates"] != earlier["gates"]
            }
        )
        gates, grown = (
            Counter({step: count for step, count in each.items() if step < last})
            for each in (gates, grown)
        )
        if gates != grown:
            faults.append(f"reports say that gates were made at {gates}, and the job saw {grown}")
        return faults

    def _events(self, run: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._server.get(f"/api/runs/{run}/events")["events"]
        return [event for event in found if event["kind"] == "run"]

    def _column(self, run: str, table: str, name: str) -> list[int]:
        return sorted({int(row[name]) for row in self._table(run, table)})

    def _table(self, run: str, table: str) -> list[dict[str, str]]:
        answer = self._server.page(
            f"/api/runs/{run}/export", params={"format": "csv", "table": table}
        )
        answer.raise_for_status()
        return list(csv.DictReader(io.StringIO(answer.text)))


def _safe_until(job: Job) -> float:
    """Return up to which time nothing that a job has measured may be lost."""
    if job.killed is None:
        return math.inf
    return min(job.killed - ON_DISK_WITHIN - SLACK, job.disk_failed_at_end or math.inf)


def _changes_told(rows: list[dict[str, Any]]) -> list[tuple[int, bool]]:
    """Return at which steps a target was frozen or thawed that was not before, by its commands."""
    found, frozen = [], False
    for row in rows:
        if row["kind"] in ("freeze", "thaw") and (row["kind"] == "freeze") != frozen:
            frozen = not frozen
            found.append((row["step"], frozen))
    return found


def _changes_seen(
    made: dict[int, dict[str, Any]], is_frozen: Callable[[dict[str, Any]], bool]
) -> list[tuple[int, bool]]:
    """Return the same, as the job saw it."""
    found, frozen = [], False
    for step, line in made.items():
        if is_frozen(line) != frozen:
            frozen = not frozen
            found.append((step, frozen))
    return found


def _gaps(steps: list[int]) -> str:
    return ", ".join(f"{a + 1}…{b - 1}" for a, b in pairwise([0, *steps]) if b != a + 1)[:200]


def main() -> None:
    """Soak, and say what was found."""
    parser = argparse.ArgumentParser(description="Kill, stop and cut everything for a while.")
    parser.add_argument("--minutes", type=float, default=20.0, help="default: 20")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="gradgate-soak-") as folder:
        soak = Soak(Path(folder), options.seed, options.minutes)
        soak.run()
        faults = soak.check()
    for name, count in sorted(soak.done.items()):
        print(f"{count:8,} {name}")
    print("\n".join(faults) or "what is stored and applied is what the ledgers say")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
