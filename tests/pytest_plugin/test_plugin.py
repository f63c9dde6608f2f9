"""The pytest plugin, in a pytest of its own as a user has it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

CHECKOUT = Path(__file__).parents[2]
HEAD = """
import sys
import pytest

@pytest.fixture
def net():
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.Linear(4, 2), nn.Linear(2, 1)
            self.gain = nn.Parameter(torch.ones(1), requires_grad=False)

        def forward(self, x, cut):
            h = self.encoder(x)
            return self.head(h.detach() if cut else h).square().mean()

    return Net()

def train(net, cut, steps=4):
    import torch

    torch.set_num_threads(1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.ones(2, 4), cut).backward()
        optimizer.step()
"""
LINE = (
    HEAD.splitlines().index(
        "            return self.head(h.detach() if cut else h).square().mean()"
    )
    + 1
)


def run_pytest(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file of tests, with the plugin as an installation has it."""
    (folder / "test_it.py").write_text(HEAD + dedent(text))
    packages = folder / "packages"
    packages.mkdir()
    (packages / "gradgate").symlink_to(CHECKOUT, target_is_directory=True)
    known = entry_points(group="pytest11", name="gradgate")
    plugin = [] if known else ["-p", "gradgate.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", *plugin]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_test_is_held_to_what_it_expects(tmp_path: Path) -> None:
    """One that breaks it fails as a whole, with the cause and the line, and no traceback."""
    ended = run_pytest(
        tmp_path,
        """
        @pytest.mark.gradgate(trains=["encoder"])
        def test_trains(net):
            train(net, cut=False)

        @pytest.mark.gradgate(trains=["encoder"])
        def test_cut(net):
            train(net, cut=True)

        @pytest.mark.gradgate
        def test_all_that_requires_a_gradient(net):
            train(net, cut=True)

        @pytest.mark.gradgate(trains=["head"], frozen=["gain"])
        def test_not_of_interest(net):
            train(net, cut=True)

        @pytest.mark.gradgate
        def test_nothing():
            pass

        @pytest.mark.gradgate(trains=["nothing"])
        def test_misnamed(net):
            train(net, cut=False)

        @pytest.mark.gradgate(["encoder"])
        def test_without_a_name(net):
            train(net, cut=False)

        @pytest.mark.gradgate(trians=["encoder"])
        def test_mistyped(net):
            train(net, cut=False)

        @pytest.mark.gradgate(trains=["encoder"])
        def test_fails_by_itself(net):
            train(net, cut=True)
            assert 1 == 2, "its own word"

        def test_with_the_fixture(net, gradgate):
            train(net, cut=False, steps=5)
            assert gradgate.runs == [gradgate.run]
            infos = {each.name: each for each in gradgate.run.parameters()}
            assert (infos["head.weight"].state, infos["head.weight"].step) == ("present", 5)
        """,
        "-rA",
    )
    told = ended.stdout
    outcomes = {line.split()[1].partition("::")[2]: line.split()[0] for line in summary(told)}
    assert outcomes == {
        "test_trains": "PASSED",
        "test_cut": "FAILED",
        "test_all_that_requires_a_gradient": "FAILED",
        "test_not_of_interest": "PASSED",
        "test_nothing": "FAILED",
        "test_misnamed": "FAILED",
        "test_without_a_name": "ERROR",
        "test_mistyped": "ERROR",
        "test_fails_by_itself": "FAILED",
        "test_with_the_fixture": "PASSED",
    }, told
    words = f"encoder.weight, encoder.bias: detached at test_it.py:{LINE}"
    assert told.count(f"\n{words}\n    `encoder.weight` reaches the loss only through") == 2
    assert "Nothing that trains was found in the test: no torch.optim.Optimizer was made" in told
    assert "'nothing' matches no parameter and no module" in told
    assert "such as trains=['encoder'], and was given (['encoder'],)." in told
    assert "argument 'trians'. The mark is @pytest.mark.gradgate(trains=[...], frozen" in told
    assert "expectation.py" not in told  # no traceback of ours
    assert "its own word" in told


def summary(told: str) -> list[str]:
    """Return the lines of pytest's short summary, without what it passed over."""
    lines = told.splitlines()
    return [line for line in lines if line.startswith(("PASSED ", "FAILED ", "ERROR "))]


@pytest.mark.parametrize("option", ["--collect-only", "--markers"])
def test_pytest_itself_imports_no_torch(tmp_path: Path, option: str) -> None:
    """Neither when it starts nor for tests that ask for nothing; the mark is registered."""
    ended = run_pytest(
        tmp_path,
        """
        @pytest.mark.gradgate(trains=["encoder"])
        def test_one():
            pass

        def test_imports():
            assert "torch" not in sys.modules

        assert "torch" not in sys.modules
        """,
        option,
        "-W",
        "error",
    )
    assert ended.returncode == 0, ended.stdout
    if option == "--markers":
        assert "@pytest.mark.gradgate(trains=[...]" in ended.stdout
