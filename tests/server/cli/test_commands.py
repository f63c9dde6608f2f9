"""`gradgate runs`, `freeze` and `thaw` against a real server and a job that the test plays."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.commanding import Terminal, spawn_gradgate
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

NOBODY = "http://127.0.0.1:9"
WITHIN = 30


@pytest.fixture
def terminal() -> Terminal:
    """A terminal."""
    return Terminal()


def test_a_freeze_is_followed_until_it_is_verified(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Each state is a line, in order, and the job gets what was asked, from `cli`."""
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        ended = terminal.start(
            "freeze", run, "a.*", "--mode", "no_grad", "--hold-stats", "--server", shared_server.url
        )
        assert probe.until_command(1) == {
            "type": "command",
            "id": 1,
            "kind": "freeze",
            "target": "a.*",
            "mode": "no_grad",
            "hold_stats": True,
            "reset_state": False,
            "by": "cli",
        }
        probe.report(1, 1, "delivered")
        probe.report(2, 1, "applied", step=1341, parameters=[0, 1])
        probe.until_acked(2)
        assert not ended.done()
        probe.report(3, 1, "verified", step=1341, detail="2 of 2 bitwise unchanged")
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"requested   command 1: freeze a.* (mode no_grad, statistics held) in job {run} ({run})",
        "delivered",
        "applied     at step 1,341: 2 parameters (a.weight, a.bias)",
        "verified    2 of 2 bitwise unchanged",
    ]
    assert result.stderr == ""


def test_a_thaw_can_reset_the_state(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With `--no-wait` it is asked for and no more."""
    with FakeProbe(shared_server, hello(run)) as probe:
        result = terminal.run(
            "thaw", run, "a.bias", "--reset-state", "--no-wait", "--server", shared_server.url
        )
        command = probe.until_command(1)
    assert (command["kind"], command["mode"], command["reset_state"]) == ("thaw", "grad", True)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.startswith("requested   command 1: thaw a.bias (optimizer state reset) in digits")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("rejected", "Error: Command 1 was rejected: 'x' matches nothing\n"),
        ("superseded", "Error: Command 1 was superseded: 'x' matches nothing\n"),
        ("drifted", "Error: Command 1 has drifted: 'x' matches nothing\n"),
    ],
)
def test_what_the_job_did_not_do_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal, state: str, sentence: str
) -> None:
    """The exit code is 1, and the sentence has the job's reason."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("freeze", run, "x", "--server", shared_server.url)
        probe.until_command(1)
        probe.report(1, 1, state, reason="'x' matches nothing")
        result = ended.result(WITHIN)
    assert result.exit_code == 1
    # Above it, on a busy machine, may stand that nothing is heard of the job.
    assert result.stderr.splitlines(keepends=True)[-1] == sentence
    assert result.stdout.splitlines()[-1] == state


@pytest.mark.parametrize(
    ("reports", "error"),
    [
        ((), "Command 1 was rejected: The run finished before the command was applied."),
        (("applied",), "The run finished before command 1 was verified."),
    ],
)
def test_a_run_that_finishes_ends_the_wait(
    shared_server: ServerProcess,
    run: str,
    terminal: Terminal,
    reports: tuple[str, ...],
    error: str,
) -> None:
    """Nobody waits for a job that is over."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("freeze", run, "a", "--server", shared_server.url)
        probe.until_command(1)
        for seq, state in enumerate(reports, 1):
            probe.report(seq, 1, state)
        probe.bye()
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stderr) == (1, f"Error: {error}\n")


def test_a_lost_job_is_said_and_waited_for(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The command is there when the job comes back."""
    with FakeProbe(shared_server, hello(run)):
        pass
    wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "lost")
    ended = terminal.start("freeze", run, "a", "--server", shared_server.url)
    wait_for(lambda: shared_server.get(f"/api/runs/{run}/commands")["commands"])
    with pytest.raises(AssertionError, match="it ends"):
        wait_for(ended.done, 1, "it ends although the job is away")
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.until_command(1)
        probe.report(1, 1, "verified", parameters=[0])
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stderr == "Nothing is heard of the job; the command waits for it.\n"


def test_a_restarted_server_is_waited_for(server: ServerProcess, run: str) -> None:
    """A server that comes back within the patience is asked on, and the command only once."""
    arguments = ["freeze", run, "a", "--server", server.url]
    with FakeProbe(server, hello(run)):
        process = spawn_gradgate(arguments, patience=60)
        until_line(process, "requested")
        server.kill()
        until_line(process, "The server does not answer now; trying for 60 seconds.")
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        probe.until_command(1)
        probe.report(1, 1, "verified", parameters=[0])
        rest, _ = process.communicate(timeout=WITHIN)
    assert (process.returncode, rest) == (0, "verified\n")
    assert [row["id"] for row in server.get(f"/api/runs/{run}/commands")["commands"]] == [1]


def test_a_server_that_stays_away_ends_the_wait(server: ServerProcess, run: str) -> None:
    """After the patience, with what became of the command as far as is known."""
    arguments = ["freeze", run, "a", "--server", server.url]
    with FakeProbe(server, hello(run)):
        process = spawn_gradgate(arguments, patience=0.5)
        until_line(process, "requested")
        server.kill()
        rest, _ = process.communicate(timeout=WITHIN)
    assert process.returncode == 3
    assert "Error: No server answers at" in rest
    assert "Command 1 stands, in state requested when last heard of" in rest


def test_ctrl_c_leaves_the_command_standing(shared_server: ServerProcess, run: str) -> None:
    """It says so, with a shell's exit code, and the job gets the command all the same."""
    with FakeProbe(shared_server, hello(run)) as probe:
        process = spawn_gradgate(["freeze", run, "a", "--server", shared_server.url])
        until_line(process, "requested")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=WITHIN)
        assert process.returncode == 130
        assert "Error: Not waited for any longer. Command 1 stands" in rest
        assert "Traceback" not in rest
        probe.until_command(1)
    assert shared_server.get(f"/api/runs/{run}/commands/1")["state"] == "requested"


def test_a_preview_shows_and_changes_nothing(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """What the job says is shown, and no command is made."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start(
            "freeze", run, "a.*", "--mode", "no_grad", "--preview", "--server", shared_server.url
        )
        question = probe.until_question()
        assert (question["target"], question["mode"]) == ("a.*", "no_grad")
        probe.answer(question)
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    head, *facts = result.stdout.splitlines()
    assert head.endswith(f"({run}): nothing is changed yet.")
    assert facts == [
        "  parameters          2: a.weight, a.bias",
        "  numbers             16, 25 % of the model",
        "  gradients           64 B freed",
        "  optimizer state     128 B kept",
        "  trainable then      4 parameters, 48 numbers",
        "  statistics go on in a.norm",
        "  cuts off            not known before the next step",
        "  ! The running statistics of a.norm go on.",
    ]
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_preview_that_the_job_refuses_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With the job's own sentence, of which nothing steers the terminal."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("thaw", run, "x", "--preview", "--server", shared_server.url)
        probe.answer(probe.until_question(), refused="'x' matches nothing \x1b[2J")
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stderr) == (1, "Error: 'x' matches nothing \ufffd[2J\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("runs", "--server", NOBODY), 3, f"No server answers at {NOBODY} (Connection refused)"),
        (("runs", "--server", "nonsense"), 2, "'nonsense' is no address of a dashboard"),
        (("runs", "--server", "http://x:99999"), 2, "is no address of a dashboard"),
        (("runs", "--token", "gehört mir"), 2, "--token is none that a server can have"),
        (("freeze", "a", "", "--server", NOBODY), 2, "A target has 1 to 512 characters"),
        (("freeze", "a", "b", "--reset-state"), 2, "No such option"),
        (("thaw", "a", "b", "--hold-stats"), 2, "No such option"),
        (("freeze", "a", "b", "--mode", "sideways"), 2, "'sideways' is not one of"),
    ],
)
def test_what_cannot_be_asked_is_said(
    terminal: Terminal, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """Without a server, or with a wrong option, one sentence says what to do."""
    result = terminal.run(*arguments)
    assert result.exit_code == code
    assert sentence in result.stderr


def test_an_unknown_and_an_ambiguous_run_are_said(
    server: ServerProcess, terminal: Terminal
) -> None:
    """Nothing is asked of any job when it is not clear which is meant."""
    with FakeProbe(server, hello("a" * 16)), FakeProbe(server, hello("a" * 15 + "b")):
        unknown = terminal.run("freeze", "c", "x", "--server", server.url)
        by_id = terminal.run("freeze", "aaa", "x", "--server", server.url)
        by_name = terminal.run("thaw", "digits", "x", "--server", server.url)
        assert {each.exit_code for each in (unknown, by_id, by_name)} == {2}
        assert "There is no run 'c'" in unknown.stderr
        for each in (by_id, by_name):
            assert "may be any of 2 runs" in each.stderr
            assert "aaaaaaaaaaaaaaab (digits" in each.stderr
        found = terminal.run("freeze", "digits (2)", "x", "--no-wait", "--server", server.url)
        assert found.exit_code == 0
    assert server.get(f"/api/runs/{'a' * 16}/commands")["commands"] == []


def test_a_token_is_given_or_wanted(tmp_path: Path, terminal: Terminal) -> None:
    """By the option, the variable, or in the URL as it was printed; else the sentence says so."""
    with ServerProcess(tmp_path / "data", "--token", "sesame") as server:
        for arguments, variables in [
            (("--server", server.url, "--token", "sesame"), {}),
            (("--server", server.url), {"GRADGATE_TOKEN": "sesame"}),
            ((), {"GRADGATE_SERVER": server.printed_url}),
        ]:
            result = terminal.run("runs", *arguments, **variables)
            assert (result.exit_code, result.stderr) == (0, "")
        wanted = terminal.run("runs", "--server", server.url)
        wrong = terminal.run("runs", "--server", server.url, "--token", "mellon")
    assert (wanted.exit_code, wrong.exit_code) == (4, 4)
    assert "wants a token, and none was given: take it from the URL" in wanted.stderr
    assert "wants a token, not the one that was given" in wrong.stderr


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b"{}"), (404, b"<html>"), (404, b'{"detail": 1}')]
)
def test_another_program_is_said(terminal: Terminal, status: int, body: bytes) -> None:
    """What answers otherwise than the API is taken for another program or version."""
    with answering(status, body) as url:
        result = terminal.run("runs", "--server", url)
    assert result.exit_code == 3
    assert f"What answers at {url} is no Gradgate server of this version" in result.stderr


def test_a_command_whose_answer_was_lost_may_have_been_taken(
    terminal: Terminal, server: ServerProcess, run: str
) -> None:
    """It is not asked for again, and the sentence says where to look."""
    with FakeProbe(server, hello(run)):
        rows = json.dumps({"runs": [server.get(f"/api/runs/{run}")]}).encode()
    with answering(200, rows, drops_posts=True) as url:
        result = terminal.run("freeze", run, "a", "--server", url)
    assert result.exit_code == 3
    assert "ended before the answer came. The command may have been taken" in result.stderr
    assert f"{url}/runs/{run}" in result.stderr


def test_runs_are_listed(
    server: ServerProcess, terminal: Terminal, new_name: Callable[[], str]
) -> None:
    """A table with one line a run, newest first, or every figure as JSON; or that there is none."""
    empty = terminal.run("runs", "--server", server.url)
    assert empty.stdout.startswith("No run yet")
    with (
        FakeProbe(server, hello("a" * 16, name="one\x1b[31m", ranks=4)) as probe,
        FakeProbe(server, hello("b" * 16, name="two")),
    ):
        probe.heartbeat(step=12345)
        wait_for(lambda: server.get(f"/api/runs/{'a' * 16}")["step"] == 12345)
        table = terminal.run("runs", "--server", server.url).stdout.splitlines()
        rows = json.loads(terminal.run("runs", "--json", "--server", server.url).stdout)
    assert [line.split()[0] for line in table] == ["ID", "b" * 16, "a" * 16]
    assert table[2].split() == [
        *("a" * 16, "one\ufffd[31m", "live", "12,345", "12.5", "2", "of", "2"),
        *("node7", "(4", "ranks)"),
    ]
    assert [row["id"] for row in rows] == ["b" * 16, "a" * 16]
    assert set(rows[0]) == set(server.get("/api/runs")["runs"][0])
    assert rows[1]["name"] == "one\x1b[31m"


def until_line(process: subprocess.Popen[str], start: str) -> None:
    """Read what a command prints, up to a line that starts in a way."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f"the command ended before it printed {start!r}")


@contextmanager
def answering(status: int, body: bytes, *, drops_posts: bool = False) -> Iterator[str]:
    """A program that is no Gradgate server and answers everything alike; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if not drops_posts:
                self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
