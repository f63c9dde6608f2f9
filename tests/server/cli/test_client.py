"""The command line and the server that it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


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
        found = terminal.run("freeze", "digits#2", "x", "--no-wait", "--server", server.url)
        assert found.exit_code == 0
    assert server.get(f"/api/runs/{'a' * 16}/commands")["commands"] == []


def test_a_token_is_given_or_wanted(tmp_path: Path, terminal: Terminal) -> None:
    """By the option, the variable, or in the URL as it was printed; else the sentence says so."""
    with ServerProcess(tmp_path / "data", "--token", "sesame") as server:
        for arguments, variables, shown in [
            (("--server", server.url, "--token", "sesame"), {}, True),
            (("--server", server.printed_url), {}, True),
            (("--server", server.url), {"GRADGATE_TOKEN": "sesame"}, False),
            ((), {"GRADGATE_SERVER": server.printed_url}, False),
            ((), {"GRADGATE_SERVER": server.printed_url, "GRADGATE_TOKEN": "mellon"}, False),
            (("--token", "sesame"), {"GRADGATE_SERVER": f"{server.url}/?token=mellon"}, True),
        ]:
            result = terminal.run("runs", *arguments, **variables)
            assert result.exit_code == 0
            assert ("The list of processes shows the token" in result.stderr) == shown
            assert bool(result.stderr) == shown
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
