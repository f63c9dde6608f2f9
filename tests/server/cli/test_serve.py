"""The command line: what it prints, how it ends, and what it says when it cannot start."""

from __future__ import annotations

import signal
import socket
import sqlite3
from pathlib import Path

import httpx
import pytest

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.runs import open_run
from gradgate.server.store.tables import SCHEMA_VERSION
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess, spawn_serve
from tests.support.storing import behind
from tests.support.waiting import wait_for

SECRET = "0123456789-abcdefghij"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM end with exit code 0, and nothing but the URL was printed."""
    server = ServerProcess(tmp_path / "data").start()
    assert httpx.get(server.url + "/healthz").status_code == 200
    assert server.stop(number) == 0
    assert server.output.splitlines() == [f"Gradgate dashboard: {server.url}"]


def test_the_port_is_free_again_at_once(tmp_path: Path) -> None:
    """A server can be restarted on its port although connections were open."""
    with ServerProcess(tmp_path / "data") as server:
        port = server.port
        with httpx.Client() as client:
            client.get(server.url + "/healthz")
            server.kill()
        server.restart()
        assert server.port == port


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    """The sentence names the port and the option that chooses another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        says = refusal("--port", str(port), "--data", str(tmp_path))
    assert f"Port {port} of 127.0.0.1 is in use" in says
    assert "--port" in says


def test_a_threshold_that_there_is_not_is_said(tmp_path: Path) -> None:
    """With those that there are, and the option."""
    says = refusal("--port", "0", "--data", str(tmp_path), "--threshold", "spikes=4")
    assert "--threshold 'spikes' is no threshold: give one of spike, parameter_spike," in says


@pytest.mark.sqlite
def test_an_unwritable_data_folder_is_said(tmp_path: Path) -> None:
    """A folder that cannot be made, here since it would lie under a file, is named."""
    file = tmp_path / "file"
    file.write_text("")
    says = refusal("--port", "0", "--data", str(file / "data"))
    assert f"The data folder {file / 'data'} cannot be written" in says
    assert "--data" in says


@pytest.mark.sqlite
def test_a_data_folder_in_use_is_said(server: ServerProcess) -> None:
    """Two servers never write the same folder."""
    says = refusal("--port", "0", "--data", str(server.data))
    assert "in use by another Gradgate server" in says


@pytest.mark.sqlite
def test_a_store_of_a_newer_version_is_said(tmp_path: Path) -> None:
    """A data base from a newer Gradgate is left alone."""
    with ServerProcess(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "gradgate.db") as connection:
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION + 1),)
        )
    connection.close()
    says = refusal("--port", "0", "--data", str(tmp_path))
    versions = f"schema version {SCHEMA_VERSION + 1} and this Gradgate knows version"
    assert f"{versions} {SCHEMA_VERSION}" in says
    assert "pip install --upgrade ." in says


@pytest.mark.sqlite
def test_a_file_that_is_no_store_is_said(tmp_path: Path) -> None:
    """Another file in the store's place is not overwritten."""
    file = tmp_path / "gradgate.db"
    file.write_bytes(b"these are my holiday pictures, honestly" * 100)
    says = refusal("--port", "0", "--data", str(tmp_path))
    assert "cannot be used (file is not a database)" in says
    assert file.read_bytes().startswith(b"these are my holiday pictures")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "no.such.host.invalid"), "--host"),
        (("--host", "203.0.113.7"), "cannot be used"),
        (("--port", "70000"), "70000"),
        (("--token", " "), "--token is made of"),
        (("--allow-frame", "hub.example"), "'hub.example' is no origin: give one such as"),
        (("--allow-frame", "https://a; script-src *"), "is no origin"),
        (("--token", "gehört mir"), "--token is made of"),
        (("--forwarded-allow-ips", "*"), "--forwarded-allow-ips: '*' is no address and no network"),
        (("--root-path", "gradgate"), "--root-path: 'gradgate' is no path of a proxy"),
        (("--trust-user-header", "X-Forwarded-User"), "anybody could say to be anybody"),
        (("--control-users", "alice"), "no users are known without --trust-user-header."),
        (("--lost-after", "0"), "--lost-after"),
        (("--keep-days", "0"), "--keep-days"),
        (("--store", "mysql://me:hunter2@host/d"), "such as postgresql+psycopg://"),
        (("--store", "postgresql://me:hunter2@127.0.0.1:1/d"), "postgresql+psycopg://me:***@"),
        (("--data", "postgresql://me:hunter2@host/d"), "with --store"),
        (("--data", "runs", "--store", "postgresql://me:hunter2@host/d"), "leave one out"),
    ],
)
def test_an_option_that_cannot_be_is_said(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    """A wrong option is one sentence, too, which never repeats a password."""
    data = () if "--store" in options else ("--data", str(tmp_path / "data"))
    says = refusal("--port", "0", *data, *options)
    assert message in says
    assert "hunter2" not in says
    assert not any("hunter2" in str(path) for path in tmp_path.rglob("*"))


def test_a_token_on_the_command_line_is_warned_of(tmp_path: Path) -> None:
    """Whoever lists the processes of the machine sees it; one from the environment is not told."""
    with ServerProcess(tmp_path / "told", "--token", SECRET) as server:
        shows = "WARNING: The list of processes shows --token"
        wait_for(lambda: shows in server.output)
        assert "$GRADGATE_TOKEN, or tokens with --token-file or $GRADGATE_TOKENS" in server.output
        assert server.output.count(SECRET) == 1  # in the address


@pytest.mark.parametrize(
    "led",
    [
        ("--allow-host", "gradgate.example.com"),
        ("--root-path", "/gradgate"),
        ("--forwarded-allow-ips", "127.0.0.1"),
    ],
)
def test_a_way_in_without_a_token_is_warned_of(
    tmp_path: Path, led: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy leads others to a server of this machine, which asks them for nothing."""
    with ServerProcess(tmp_path / "open", *led) as server:
        wait_for(lambda: "WARNING: Whoever comes by another name or a proxy" in server.output)
        assert server.page("/api/runs").status_code == 200
    monkeypatch.setenv("GRADGATE_TOKEN", SECRET)
    with ServerProcess(tmp_path / "closed", *led) as server:
        assert server.page("/api/runs").status_code == 401
    assert "WARNING" not in server.output


def test_another_name_of_this_machine_lets_nobody_in(tmp_path: Path) -> None:
    """So it is not warned of."""
    with ServerProcess(tmp_path, "--allow-host", "localhost") as server:
        assert server.page("/api/runs").status_code == 200
    assert "WARNING" not in server.output


@pytest.mark.parametrize(
    ("variable", "value", "status"),
    [
        ("GRADGATE_TOKEN", SECRET, 202),
        ("GRADGATE_TOKENS", f"wall view {SECRET}x, alice control {SECRET}", 202),
        ("GRADGATE_TOKENS", f"# a comment\nalice view {SECRET}", 403),
    ],
)
def test_tokens_from_the_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    status: int,
    run: str,
) -> None:
    """One that allows everything, or one a line; nothing is warned of."""
    monkeypatch.setenv(variable, value)
    headers = {"Authorization": f"Bearer {SECRET}"}
    with ServerProcess(tmp_path) as server:
        with behind(tmp_path) as store:
            open_run(store, Hello.model_validate(hello(run)), 1.0)
        assert httpx.get(f"{server.url}/api/runs").status_code == 401
        answer = httpx.post(
            f"{server.url}/api/runs/{run}/commands",
            json={"kind": "freeze", "target": "a"},
            headers=headers,
        )
        assert answer.status_code == status
        assert "WARNING" not in server.output


def test_tokens_that_cannot_be_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that others can read, and a variable with no token; no token is repeated."""
    file = tmp_path / "tokens"
    file.write_text(f"alice control {SECRET}\n")
    file.chmod(0o644)
    options = ("--port", "0", "--data", str(tmp_path / "data"))
    says = refusal(*options, "--token-file", str(file))
    assert f"The file {file} can be read by others (its mode is 0644): `chmod 600 {file}`" in says
    monkeypatch.setenv("GRADGATE_TOKENS", f"{SECRET} control alice")
    says += refusal(*options)
    assert "Line 1 of $GRADGATE_TOKENS is no token" in says
    assert SECRET not in says


def test_old_samples_are_kept_in_coarser_steps(tmp_path: Path, run: str) -> None:
    """With `--keep-days`: a spike in them is still in the series, and an export begins later."""
    count = 1024 + 300
    with ServerProcess(tmp_path) as server, FakeProbe(server, hello(run, ["a"])) as probe:
        for seq in range(1, count + 1):
            probe.sample(seq, [900.0 if seq == 77 else 1.0], at=seq)
        probe.until_acked(count)
        probe.bye(count)
        wait_for(lambda: server.get(f"/api/runs/{run}")["status"] == "finished")
    with ServerProcess(tmp_path, "--keep-days", "1") as server:
        wait_for(lambda: 77 not in exported(server, run), message="the oldest samples are dropped")
        assert exported(server, run) == list(range(1025, count + 1))
        series = server.get(f"/api/runs/{run}/series", parameter="a", points=10)
        assert (max(series["max"]), series["samples"]) == (900.0, count)


def exported(server: ServerProcess, run: str) -> list[int]:
    """The steps of the samples in an export."""
    answer = server.page(f"/api/runs/{run}/export", params={"format": "csv", "table": "samples"})
    return [int(line.split(",")[0]) for line in answer.text.splitlines()[1:]]


def refusal(*options: str) -> str:
    """What a server that cannot start says: an exit code of 1 or 2, and no traceback."""
    process = spawn_serve(*options)
    output = process.communicate(timeout=30)
    assert process.returncode in (1, 2), output
    assert "Traceback" not in output
    assert "Gradgate dashboard" not in output
    sentence = output[output.index("Error: ") :]
    assert len(sentence.strip().splitlines()) == 1, output
    return sentence
