"""What a real job could not send lies on disk, and reaches the server later, exactly once."""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from gradgate.probe.spool.recording import MAGIC, Kind, frame_record, message_record
from tests.support.forked import SERVER, ForkedPython, run_python
from tests.support.probing import hello, pack_sample
from tests.support.serving import COMMAND, ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for, wait_until


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the jobs of a test leave what they could not send."""
    folder = tmp_path / "left"
    monkeypatch.setenv("GRADGATE_SPOOL", str(folder))
    return folder


def left(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gradgate"))


def train_past_the_server(
    server: ServerProcess, job: TrainingJob, before: int = 10, after: int = 50
) -> None:
    """Kill the server in the midst of a job, after some steps, that makes more without it."""
    job.wait_for_step(before)
    job.wait_until_known(server)
    wait_until(
        lambda: server.get(f"/api/runs/{job.run}"), lambda run: run["samples"] > 5, 30, "some are"
    )
    server.kill()
    job.wait_for_more(after)


def send(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(*COMMAND, "send", *arguments, imported=SERVER)


def samples(server: ServerProcess, run: str) -> list[int]:
    """The steps of all samples that are stored."""
    answer = server.page(f"/api/runs/{run}/export", params={"format": "csv", "table": "samples"})
    steps = [int(line.split(",")[0]) for line in answer.text.splitlines()[1:]]
    return sorted(set(steps))


def row(server: ServerProcess, run: str) -> Any:
    return server.get(f"/api/runs/{run}")


def test_a_job_that_ends_without_its_server_is_sent_later(
    server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """The job says where it lies; sent, each of its 200 steps is stored once, and it has finished,
    though the server was away for the second hundred."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        train_past_the_server(server, job, before=100, after=100)
        assert job.stop() == 0
        (file,) = left(folder)
        assert f"what is missing lies in {file}" in job.output
        server.restart()
        wait_until(lambda: row(server, job.run), lambda run: run["samples"] < job.step, 30)
        sent = send(str(file))
        assert (sent.returncode, sent.stderr) == (0, "")
        # What the server had stored as it was killed need not have been acknowledged to the job.
        told = r"[1-9]\d* frames of the run 'job' are stored(; [1-9]\d* were there already)?\. "
        assert re.search(told + re.escape(f"{server.url}/runs/{job.run}"), sent.stdout)
        assert job.step >= 200
        assert samples(server, job.run) == list(range(1, job.step + 1))
        ended = wait_until(
            lambda: row(server, job.run), lambda run: run["status"] == "finished", 30
        )
        assert ended["samples"] == job.step
    assert list(folder.iterdir()) == []


def test_the_next_job_sends_what_one_has_left(
    server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """By itself, as soon as the server watches it; a file for another server stays."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        train_past_the_server(server, job)
        assert job.stop() == 0
        other = folder / "other.gradgate"
        other.write_bytes(left(folder)[0].read_bytes().replace(b"127.0.0.1", b"127.0.0.2"))
        server.restart()
        with TrainingJob(tmp_path / "next", server.url) as after:
            after.wait_for_step(10)
            wait_until(lambda: row(server, job.run), lambda run: run["samples"] == job.step, 30)
            wait_for(lambda: left(folder) == [other], 30, "the file is gone")
        assert samples(server, job.run) == list(range(1, job.step + 1))
        wait_until(lambda: row(server, job.run), lambda run: run["status"] == "finished", 30)


def left_with_an_odd_frame(file: Path, run: str, place: int, server: str | None) -> None:
    """Leave the five frames of a run that has ended, one of which no server takes."""
    odd = {"type": "metrics", "seq": place, "step": -1, "time": 1, "values": {}}
    frames: list[bytes | str] = [pack_sample(n, n, [1, 1], {1: [1, 1]}) for n in range(1, 6)]
    frames[place - 1] = json.dumps(odd)
    records = [frame_record(seq, frame) for seq, frame in enumerate(frames, 1)]
    begins = message_record(Kind.HELLO, {**hello(run), "server": server})
    bye = {"type": "bye", "time": 1.0, "step": 5, "failed": False}
    file.write_bytes(b"".join((MAGIC, begins, *records, message_record(Kind.BYE, bye))))


@pytest.mark.parametrize("place", [1, 3, 5])
def test_a_frame_that_no_server_takes_stays_behind_alone(
    shared_server: ServerProcess, tmp_path: Path, place: int
) -> None:
    """All others of a file are stored, and it is said how many are not."""
    run, file = secrets.token_hex(8), tmp_path / "odd.gradgate"
    left_with_an_odd_frame(file, run, place, None)
    sent = send(str(file), "--server", shared_server.url)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert "4 frames of the run" in sent.stdout
    assert "; 1 it does not take" in sent.stdout
    assert "already" not in sent.stdout
    assert samples(shared_server, run) == [step for step in range(1, 6) if step != place]
    assert row(shared_server, run)["status"] == "finished"


def test_the_next_job_leaves_out_a_frame_that_no_server_takes(
    shared_server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """Of what one has left; its log says so, and the file goes."""
    run = secrets.token_hex(8)
    folder.mkdir()
    left_with_an_odd_frame(folder / "odd.gradgate", run, 3, shared_server.url)
    with TrainingJob(tmp_path / "next", shared_server.url) as job:
        job.wait_for_step(5)
        wait_for(lambda: left(folder) == [], 30, "the file is gone")
        assert job.stop() == 0
        assert "did not take 1 of the frames that the run 'digits' had left" in job.output
    assert samples(shared_server, run) == [1, 2, 4, 5]


def test_a_job_that_is_killed_leaves_what_was_on_disk(
    server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """Up to the last whole record, without a gap, though a part of another follows."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        train_past_the_server(server, job)
        wait_for(lambda: left(folder) and left(folder)[0].stat().st_size > 5000, 30, "it is left")
        job.signal(signal.SIGKILL)
        wait_for(lambda: job.ended, 30, "the job is gone")
        (file,) = left(folder)
        with file.open("ab") as cut:
            cut.write(b"\x10\x00\x00\x00half")
        server.restart()
        stored = row(server, job.run)["samples"]
        assert send(str(file)).returncode == 0
        steps = samples(server, job.run)
        assert steps == list(range(1, len(steps) + 1))
        assert stored < len(steps) <= job.step


def test_a_job_goes_on_by_itself_where_its_server_comes_back(
    server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """What was on disk comes before what is measured now, and the file is gone meanwhile."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        train_past_the_server(server, job)
        wait_for(lambda: left(folder), 30, "it is left")
        refused = send(str(left(folder)[0]))
        assert refused.returncode == 1
        assert "still runs, and sends it by itself" in refused.stderr
        server.restart()
        wait_for(lambda: not left(folder), 30, "all is sent")
        assert job.stop() == 0
        assert samples(server, job.run) == list(range(1, job.step + 1))


def test_a_server_that_is_stopped_loses_nothing(
    server: ServerProcess, tmp_path: Path, folder: Path
) -> None:
    """By SIGTERM, in the midst of a job, again and again: each step is stored once, in order."""
    with TrainingJob(tmp_path / "job", server.url) as job:
        job.wait_for_step(10)
        job.wait_until_known(server)
        for _ in range(2):
            assert server.stop() == 0
            job.wait_for_more(30)
            server.restart()
            wait_until(lambda: row(server, job.run), lambda run: run["step"] >= job.step - 30, 30)
        assert job.stop() == 0
        assert f"the connection to {server.url} broke" in job.output
        assert samples(server, job.run) == list(range(1, job.step + 1))
    assert left(folder) == []


STORED = """
import sys
import time
from pathlib import Path
import torch
from gradgate import probe
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
run = probe.attach(model, optimizer, server=sys.argv[1], every=1, name="stored")
for step in range(5):
    optimizer.zero_grad()
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
Path("run").write_text(run.id)
for asked, said in (("asked", "stored"), ("end", "ends")):
    while not Path(asked).exists():
        time.sleep(0.01)
    assert run.flush(30)
    Path(said).touch()
"""


@pytest.mark.parametrize(
    ("ending", "status", "sender"),
    [
        ("run.detach()", "finished", "send"),
        ("", "finished", "next"),
        ("raise ArithmeticError", "failed", "send"),
    ],
    ids=["detached", "over", "raised"],
)
def test_an_end_that_found_no_server_is_sent_later(
    ending: str,
    status: str,
    sender: str,
    server: ServerProcess,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All else was stored: the run is lost until then, and what was asked for waits no longer."""
    job = ForkedPython("-c", STORED + ending, server.url, cwd=tmp_path)
    told = tmp_path / "run"
    run = wait_for(lambda: told.exists() and told.read_text(), 60, "it attaches") or ""
    wait_for(lambda: server.page(f"/api/runs/{run}").status_code == 200, 30, "it is known")
    commands = f"/api/runs/{run}/commands"
    assert server.post(commands, {"kind": "freeze", "target": "bias"}).status_code == 202
    wait_until(
        lambda: server.get(commands)["commands"], lambda rows: rows[0]["state"] == "delivered"
    )
    (tmp_path / "asked").touch()
    wait_for((tmp_path / "stored").exists, 30, "all is stored")
    server.kill()
    (tmp_path / "end").touch()
    said = job.communicate(60)
    (file,) = left(folder)
    assert f"what is missing lies in {file}" in said
    server.restart()
    assert row(server, run)["status"] in ("live", "lost")
    if sender == "send":
        # What the file names is the one to send to.
        monkeypatch.setenv("GRADGATE_SERVER", "http://127.0.0.1:9")
        sent = send(str(file))
        assert (sent.returncode, sent.stderr) == (0, "")
        assert f"the end of the run 'stored' is stored. {server.url}/runs/{run}" in sent.stdout
    else:
        with TrainingJob(tmp_path / "next", server.url) as after:
            after.wait_for_step(1)
            wait_until(lambda: row(server, run), lambda run: run["status"] == status, 30)
            # The file goes first, and then what locked it.
            wait_for(lambda: not list(folder.iterdir()), 30, "nothing is left")
    ended = row(server, run)
    assert (ended["status"], ended["samples"], ended["step"]) == (status, 5, 5)
    (command,) = server.get(commands)["commands"]
    assert command["state"] == "rejected"
    assert command["reason"] == f"The run {status} before the command was applied."
    assert list(folder.iterdir()) == []


RECORDED = """
import torch
from gradgate import probe
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
given = {"server": False, "record": "run.gradgate", "every": 1, "name": "aboard"}
with probe.attach(model, optimizer, **given) as run:
    for step in range(200):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        run.log(loss=step)
        if step == 100:
            run.freeze("bias")
"""


def test_a_recording_is_shown_and_sent(server: ServerProcess, tmp_path: Path) -> None:
    """It has all that a server would have had; it is kept, and sent twice it is stored once."""
    assert run_python("-c", RECORDED, cwd=tmp_path).returncode == 0
    file = str(tmp_path / "run.gradgate")
    shown = ForkedPython(*COMMAND, "open", file, imported=SERVER)
    line = next(line for line in shown.stdout if line.startswith("Gradgate dashboard: "))
    (run,) = httpx.get(f"{line.split()[-1]}/api/runs", trust_env=False).json()["runs"]
    assert (run["name"], run["samples"], run["status"]) == ("aboard", 200, "finished")
    shown.send_signal(signal.SIGINT)
    shown.communicate(30)

    for _ in range(2):
        assert send(file, "--server", server.url).returncode == 0
        assert samples(server, run["id"]) == list(range(1, 201))
        (command,) = server.get(f"/api/runs/{run['id']}/commands")["commands"]
        assert (command["kind"], command["state"]) == ("freeze", "verified")
    assert Path(file).exists()


def test_a_recording_beside_a_server_is_the_same_run(server: ServerProcess, tmp_path: Path) -> None:
    """Sent to that server it adds nothing, and sent to another it is all there is."""
    given = f'"server": {server.url!r}, "record": "run.gradgate"'
    script = RECORDED.replace('"server": False, "record": "run.gradgate"', given)
    assert run_python("-c", script, cwd=tmp_path).returncode == 0
    file = str(tmp_path / "run.gradgate")
    (run,) = server.get("/api/runs")["runs"]
    assert (run["samples"], run["status"]) == (200, "finished")
    sent = send(file, "--server", server.url)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert f"{file}: 0 frames of the run 'aboard' are stored" in sent.stdout
    assert samples(server, run["id"]) == list(range(1, 201))
    with ServerProcess(tmp_path / "other") as other:
        assert send(file, "--server", other.url).returncode == 0
        assert samples(other, run["id"]) == list(range(1, 201))
        for each in (server, other):
            (command,) = each.get(f"/api/runs/{run['id']}/commands")["commands"]
            assert (command["kind"], command["state"]) == ("freeze", "verified")
            assert row(each, run["id"])["status"] == "finished"


def test_more_small_frames_than_a_bundle_may_have_are_sent(
    server: ServerProcess, tmp_path: Path
) -> None:
    """A bundle has a thousand at most: what a long outage leaves is many of them."""
    hello = {
        **{"type": "hello", "protocol": 1, "run": "a" * 16, "name": "long", "started": 1.0},
        **{"host": "node7", "pid": 1, "probe_version": "0", "torch_version": "0", "figures": ""},
        **{"parameters": [], "frozen": [], "step": 0},
    }
    frames = [
        {"type": "metrics", "seq": step, "step": step, "time": 1.0, "values": {"a": step}}
        for step in range(1, 3501)
    ]
    file = tmp_path / "long.gradgate"
    told = [message_record(Kind.HELLO, hello)]
    told += [frame_record(step, json.dumps(each)) for step, each in enumerate(frames, 1)]
    file.write_bytes(MAGIC + b"".join(told))
    sent = send(str(file), "--server", server.url)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert "3500 frames" in sent.stdout


@pytest.mark.exhaustive(0)
def test_what_cannot_be_sent_is_said(tmp_path: Path, server: ServerProcess) -> None:
    """No recording, none that says where to, nobody there: a sentence each, and nothing is lost."""
    assert run_python("-c", RECORDED, cwd=tmp_path).returncode == 0
    file = tmp_path / "run.gradgate"
    size = file.stat().st_size
    (tmp_path / "other.gradgate").write_text(json.dumps({}))
    answers = {
        "names no server: say which with --server": (str(file),),
        "is no recording of Gradgate's": (str(tmp_path / "other.gradgate"),),
        "no dashboard at http://127.0.0.1:9 took it": (str(file), "--server", "http://127.0.0.1:9"),
    }
    wrong_options = {
        "'nowhere' is no address of a dashboard": (str(file), "--server", "nowhere"),
        "'http://[::1' is no address of a dashboard": (str(file), "--server", "http://[::1"),
        "--token is none that a server can have": (str(file), "--token", "gehört mir"),
    }
    for told, arguments in (answers | wrong_options).items():
        ended = send(*arguments)
        code = 2 if told in wrong_options else 1
        assert (ended.returncode, told in ended.stderr) == (code, True), ended.stderr
        assert "Traceback" not in ended.stderr
    assert file.stat().st_size == size
