"""The command `gradgate check`: a real script, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commanding import Terminal
from tests.support.forked import SERVER, run_python

SCRIPT = """
import argparse, os, sys
import torch
from torch import nn

print("the script's own word")
parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10**9)
steps = parser.parse_args().steps


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.style, self.head = nn.Linear(4, 2), nn.Linear(6, 1)

    def forward(self, x):
        return self.head(torch.cat([x, self.style(x).detach()], 1))  # line 18


model = Net()
# So small a rate that the error cannot become zero: a gradient of zero would be a finding.
optimizer = torch.optim.SGD(model.parameters(), 0.01)
os.chdir("..")
for _ in range(steps):
    optimizer.zero_grad()
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()
"""


STUBBORN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.spare = nn.Linear(1, 1), nn.Linear(1, 1, bias=False)

    def forward(self, x):
        return self.used(x)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), 0.01)
while True:
    try:
        optimizer.zero_grad()
        model(torch.ones(1, 1)).square().mean().backward()
        optimizer.step()
    except:
        pass
"""


BLOCKED = """
import queue
import torch
from torch import nn

model = nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
model(torch.ones(1, 1)).backward()
optimizer.step()
queue.Queue().get()
"""


THREAD = """
import threading
import torch
from torch import nn

def train():
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    while True:
        optimizer.zero_grad()
        model(torch.ones(1, 1)).square().mean().backward()
        optimizer.step()

threading.Thread(target=train).start()
"""


def check(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a shell does."""
    call = "from gradgate.server.cli.main import main; main()"
    return run_python("-c", call, "check", *arguments, imported=SERVER, cwd=folder)


def test_a_script_is_checked_and_told_in_every_form(tmp_path: Path) -> None:
    """On stdout the report alone; places are relative to where the command was given.

    What the baseline has accepted fails no more. The script has its own arguments.
    """
    (tmp_path / "train.py").write_text(SCRIPT)
    files = ("--sarif", "out.sarif", "--html", "out.html", "--baseline", "accepted.json")
    options = ("--steps", "5", "--json", *files, "--write-baseline")
    ended = check(*options, "train.py", "--steps", "6", folder=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "own word" in ended.stderr
    report = json.loads(ended.stdout)
    assert (report["steps"], report["arguments"]) == (5, ["--steps", "6"])
    assert (report["exit_code"], report["script_exit_code"]) == (0, 0)
    assert [(each["cause"], each["accepted"]) for each in report["findings"]] == [
        ("detached", True),
        ("detached", True),
    ]
    (result,) = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    found = (place["artifactLocation"]["uri"], place["region"]["startLine"])
    assert (result["ruleId"], *found) == ("detached", "train.py", 18)
    assert json.loads((tmp_path / "accepted.json").read_text())["accepted"] == [
        {"cause": "detached", "name": f"style.{name}", "file": "train.py"}
        for name in ("bias", "weight")
    ]
    page = (tmp_path / "out.html").read_text()
    assert "style.weight" in page
    assert "<script src" not in page


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("stubborn.py", 1, "spare.weight: module_not_called"),
        ("gone.py", 3, "ended with exit code 9 before anything could be said"),
        ("blocked.py", 6, "since it made no further step of an optimizer for 1 seconds"),
        ("thread.py", 0, "thread.py: 4 steps of Linear under SGD"),
    ],
)
def test_a_script_that_will_not_end_or_is_gone_at_once_is_answered(
    tmp_path: Path, script: str, code: int, told: str
) -> None:
    """One that goes on whatever stops it is ended, with its report; a thread is waited for.

    What blocks is given up, soon after the time limit.
    """
    (tmp_path / "gone.py").write_text("import os; os._exit(9)")
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "thread.py").write_text(THREAD)
    (tmp_path / "blocked.py").write_text(BLOCKED)
    limit = "1" if script == "blocked.py" else "600"
    ended = check("--steps", "4", "--limit", limit, script, folder=tmp_path)
    assert (ended.returncode, told in ended.stdout + ended.stderr) == (code, True), ended


def test_a_check_that_is_ended_ends_its_script(tmp_path: Path) -> None:
    """As a time limit of CI does it: nothing is left that trains."""
    (tmp_path / "train.py").write_text("print('begun', flush=True)\nwhile True: pass")
    call = "from gradgate.server.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", call, "check", "train.py"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as ended:
        assert ended.stderr is not None
        assert ended.stderr.readline() == "begun\n"
        ended.terminate()
        told = ended.stderr.read()  # to the end: the script has it open, too
    assert ended.returncode == 3
    assert "ended with exit code -15 before anything could be said of it" in told


def test_a_script_that_fails_leaves_the_baseline_as_it_is(tmp_path: Path) -> None:
    """What was found before it failed is not all that there is."""
    (tmp_path / "train.py").write_text(
        SCRIPT.replace("optimizer.step()", "raise SystemExit('no disk')")
    )
    (tmp_path / "accepted.json").write_text("as it was")
    ended = check("--baseline", "accepted.json", "--write-baseline", "train.py", folder=tmp_path)
    assert ended.returncode == 3
    assert "No baseline is written: The script ended itself after 0 steps" in ended.stderr
    assert "with exit code 1: no disk" in ended.stdout
    assert (tmp_path / "accepted.json").read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--write-baseline", "nope.py"), "--write-baseline wants --baseline FILE"),
        (("--baseline", "none.json", "nope.py"), "There is no baseline 'none.json'"),
        (("--steps", "0", "nope.py"), "0 is not in the range"),
        (("--sarif", "nowhere/out.sarif", "nope.py"), "no folder 'nowhere' for 'out.sarif'"),
        ((), "Missing argument 'SCRIPT'"),
    ],
)
def test_wrong_options_are_said_before_anything_runs(
    terminal: Terminal, arguments: tuple[str, ...], told: str
) -> None:
    """With the exit code of wrong usage."""
    answer = terminal.run("check", *arguments)
    assert (answer.exit_code, told in answer.stderr) == (2, True), answer.stderr
