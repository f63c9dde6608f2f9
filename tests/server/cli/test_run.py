"""The command `gradgate run`: a real script, and a real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.forked import SERVER, run_python
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

SCRIPT = """
import argparse, sys
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--every", type=int)  # as an option of Gradgate's own is called
given = parser.parse_args()


def main():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(given.every):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().mean().backward()
        optimizer.step()


main()
sys.exit(7)
"""


def gradgate(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a shell does."""
    call = "from gradgate.server.cli.main import main; main()"
    return run_python("-c", call, *arguments, imported=SERVER, cwd=folder)


def test_a_script_without_a_line_is_on_the_dashboard(server: ServerProcess, tmp_path: Path) -> None:
    """Under its own name, with its own arguments; its exit code is that of the command."""
    (tmp_path / "train_it.py").write_text(SCRIPT)
    command = ("run", "--server", server.url, "--every", "1", "train_it.py", "--every", "5")
    ended = gradgate(*command, folder=tmp_path)

    (run,) = server.get("/api/runs")["runs"]
    said = f"gradgate: this run is at {server.url}/runs/{run['id']}\n"
    assert (ended.returncode, ended.stderr) == (7, said)
    assert (run["name"], run["step"], run["samples"]) == ("train_it", 5, 5)
    rows = server.get(f"/api/runs/{run['id']}/parameters")["parameters"]
    assert [row["name"] for row in rows] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_token_is_not_handed_on_where_others_see_it(tmp_path: Path) -> None:
    """Of the printed URL it goes to the job by the environment; in the command it is warned of."""
    (tmp_path / "train_it.py").write_text(f"import sys; print(sys.orig_argv)\n{SCRIPT}")
    headers = {"Authorization": "Bearer sesame"}
    with ServerProcess(tmp_path / "data", "--token", "sesame") as server:
        for given in (
            ("--server", server.printed_url),
            ("--server", server.url, "--token", "sesame"),
        ):
            ended = gradgate("run", *given, "train_it.py", "--every", "5", folder=tmp_path)
            assert ended.returncode == 7
            warned, _, said = ended.stderr.partition("\n")
            assert "WARNING: The list of processes shows the token" in warned
            assert said.startswith(f"gradgate: this run is at {server.url}/runs/")
            assert "train_it.py" in ended.stdout
            assert "sesame" not in ended.stdout
            stored = httpx.get(f"{server.url}/api/runs", headers=headers).json()["runs"]
            assert stored[0]["id"] in said


CUT = """
import torch

first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()])
for _ in range(4):
    optimizer.zero_grad()
    second(first(torch.ones(2)).detach()).sum().backward()  # the cut
    optimizer.step()
"""


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("options", [(), ("--no-source",)])
def test_the_script_is_kept_to_itself_if_asked_for(
    server: ServerProcess, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """The server is told of the line by its number, and of no text around it."""
    (tmp_path / "train.py").write_text(CUT)
    chosen = ("--every", "1", "--expect", "*", *options)
    ended = gradgate("run", "--server", server.url, *chosen, "train.py", folder=tmp_path)
    assert ended.returncode == 0
    (run,) = server.get("/api/runs")["runs"]
    told = server.page(f"/api/runs/{run['id']}/explanations")
    assert {each["where"] for each in told.json()["explanations"]} == {"train.py:8"}
    assert ("# the cut" in told.text) == (not options)


FAILING = """
import torch
from gradgate import probe

model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters())
if ATTACHES:
    run = probe.attach(model, optimizer, server=SERVER)
model(torch.ones(2)).sum().backward()
optimizer.step()
raise ZeroDivisionError("the script's own")
"""


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("attaches", [True, False])
def test_a_script_that_raises_leaves_a_run_that_failed(
    server: ServerProcess, tmp_path: Path, attaches: bool
) -> None:
    """Its own run, too; what it prints and its exit code are those without Gradgate."""
    text = FAILING.replace("ATTACHES", str(attaches)).replace("SERVER", repr(server.url))
    (tmp_path / "train.py").write_text(text)
    ended = gradgate("run", "--server", server.url, "train.py", folder=tmp_path)
    plain = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout) == (plain.returncode, plain.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]
    wait_for(
        lambda: {run["status"] for run in server.get("/api/runs")["runs"]} == {"failed"},
        message="the runs have failed",
    )


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nope.py",), "There is no script 'nope.py' here"),
        (("--server", "here:8765", "train.py"), "'here:8765' is no address of a dashboard"),
    ],
)
def test_what_cannot_be_run_has_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """And the exit code of Python's own; the script is not begun."""
    (tmp_path / "train.py").write_text("print('begun')")
    ended = gradgate("run", *arguments, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
