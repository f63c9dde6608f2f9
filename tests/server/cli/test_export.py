"""The command `gradgate export`, and the files that it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import pytest
from pyarrow import parquet

from gradgate.server.protocol.exports import TABLES
from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


@pytest.fixture
def sampled(shared_server: ServerProcess, run: str) -> str:
    """A run with two samples."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.sample(1, [1, 2], at=1.5)
        probe.sample(2, [3, 4], at=2.5)
        probe.until_acked(2)
    return run


def test_a_folder_has_a_file_for_each_table(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """Parquet, when nothing else was said; the folder is made, and nothing else is left in it."""
    folder = tmp_path / "new" / "run"
    arguments = ("export", sampled, "--output", str(folder), "--server", shared_server.url)
    ended = terminal.run(*arguments)
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert f"({sampled}) to {folder}: " in ended.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.parquet" for name in TABLES
    )
    samples = parquet.read_table(folder / "samples.parquet", columns=["step", "grad_norm"])
    assert samples.to_pydict() == {"step": [1, 2, 1, 2], "grad_norm": [1, 3, 2, 4]}


def test_a_zip_has_them_all(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """As one file, by the ending of its name."""
    path = tmp_path / "run.zip"
    arguments = ("--format", "csv", "--output", str(path), "--server", shared_server.url)
    assert terminal.run("export", sampled, *arguments).exit_code == 0
    with ZipFile(path) as zipped:
        assert zipped.namelist() == [f"{name}.csv" for name in TABLES]


def test_one_table_goes_to_the_standard_output(
    shared_server: ServerProcess, sampled: str, terminal: Terminal
) -> None:
    """For another program to read, and nothing beside it."""
    arguments = ("--format", "csv", "--table", "samples", "--match", "a.bias", "--from", "2")
    ended = terminal.run("export", sampled, *arguments, "--server", shared_server.url)
    assert (ended.exit_code, ended.stderr) == (0, "")
    head, row = ended.stdout.splitlines()
    assert head.startswith("step,time,skipped,parameter,state,grad_norm,grad_max")
    assert row.startswith("2,2.5,false,a.bias,present,4.0,,")


def test_a_file_that_is_there_is_kept(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """Unless it is to be replaced."""
    path = tmp_path / "metrics.csv"
    path.write_text("mine")
    arguments = ("export", sampled, "--format", "csv", "--table", "metrics", "--output", str(path))
    kept = terminal.run(*arguments, "--server", shared_server.url)
    assert kept.exit_code == 1
    assert "is there already: give another --output, or replace it with --force" in kept.stderr
    assert path.read_text() == "mine"
    assert terminal.run(*arguments, "--force", "--server", shared_server.url).exit_code == 0
    assert path.read_text() == "name,step,time,value\n"


def test_a_report_is_one_file(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """Under its name, or to the standard output."""
    path = tmp_path / "report.html"
    arguments = ("export", sampled, "--format", "html", "--server", shared_server.url, "--output")
    assert terminal.run(*arguments, str(path)).exit_code == 0
    shown = terminal.run(*arguments, "-")
    for text in (path.read_text("utf-8"), shown.stdout):
        assert text.startswith("<!doctype html>")
        assert sampled in text


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--format", "html"), 2, "Say with --output where the files go"),
        (("--format", "html", "--table", "run"), 2, "A report has all in one page"),
        ((), 2, "Say with --output where the files go, or with --table"),
        (("--table", "samples", "--from", "9"), 2, "Nothing is known from step 9 on"),
        (("--table", "samples", "--match", "c"), 2, "'c' means no parameter"),
    ],
)
def test_what_cannot_be_written_is_said(
    shared_server: ServerProcess,
    sampled: str,
    terminal: Terminal,
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    """In the server's own sentence, where it is the server's to say."""
    ended = terminal.run("export", sampled, *arguments, "--server", shared_server.url)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert sentence in ended.stderr


def test_a_place_that_cannot_be_written_is_said(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """As where a file is in the way of the folder."""
    (tmp_path / "file").write_text("")
    arguments = ("--output", str(tmp_path / "file" / "run"), "--server", shared_server.url)
    ended = terminal.run("export", sampled, *arguments)
    assert ended.exit_code == 1
    assert "cannot be written (Not a directory): give another --output" in ended.stderr


def test_a_download_that_breaks_off_leaves_nothing(
    shared_server: ServerProcess, sampled: str, terminal: Terminal, tmp_path: Path
) -> None:
    """No file has its name before it is whole, and an earlier one stays as it was."""
    path = tmp_path / "samples.csv"
    path.write_text("whole")
    rows = json.dumps({"runs": [shared_server.get(f"/api/runs/{sampled}")]}).encode()
    arguments = ("--format", "csv", "--table", "samples", "--output", str(path), "--force")
    with breaking_off(rows) as url:
        ended = terminal.run("export", sampled, *arguments, "--server", url)
    assert ended.exit_code == 3
    assert "ended before the answer came" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["samples.csv"]
    assert path.read_text() == "whole"


@contextmanager
def breaking_off(runs: bytes) -> Iterator[str]:
    """A server that lists runs, and ends each export in its middle; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            if "/export" in self.path:
                self.send_header("Content-Disposition", "attachment")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"5\r\nstep,\r\n")
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(runs)))
                self.end_headers()
                self.wfile.write(runs)

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
