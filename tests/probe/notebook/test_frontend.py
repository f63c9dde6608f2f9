"""Runs in a real notebook, executed cell by cell in a kernel of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from gradgate.probe.notebook.frontend import Cell, notebook_name, running_cell
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

ATTACH = """
import torch
from gradgate import probe

model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
unused = torch.nn.Linear(1, 1)
model.register_module("unused", unused)
optimizer = torch.optim.SGD(model.parameters())
run = probe.attach(model, optimizer, every=1, expect=["unused"])

def train(steps):
    for _ in range(steps):
        torch.nn.Sequential(*list(model)[:3])(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

train(4)
run.flush()
run
"""
AGAIN = """
__vsc_ipynb_file__ = "/w/other.ipynb"
run = probe.attach(model, optimizer, every=1)
"""
SEVERAL = """
several = [probe.attach(torch.nn.Linear(1, 1), server=False) for _ in range(2)]
print([each._job.state.attached for each in several])
"""

Execute = Callable[[int], list[Any]]


@pytest.fixture(scope="module")
def notebook(server_of_module: ServerProcess) -> Iterator[Execute]:
    """Executes cells by their number, and returns what each shows."""
    cells = [ATTACH, "run.show(300)", AGAIN, SEVERAL]
    made = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    client = NotebookClient(made, kernel_name="python3", timeout=60)
    environment = {"GRADGATE_SERVER": server_of_module.url, "JPY_SESSION_NAME": "/w/a <b> c.ipynb"}
    with client.setup_kernel(env=environment):
        yield lambda place: client.execute_cell(made.cells[place], place)["outputs"]


@pytest.fixture(scope="module")
def server_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that keeps the notebook's runs."""
    with ServerProcess(tmp_path_factory.mktemp("notebook")) as server:
        yield server


def said(outputs: list[Any]) -> str:
    """Return what a cell has printed."""
    return "".join(each.get("text", "") for each in outputs)


def test_a_notebook_shows_its_runs_and_ends_those_of_a_cell_that_is_executed_again(
    notebook: Execute, server_of_module: ServerProcess
) -> None:
    """A run has the notebook's name; its summary is text, and its page a frame."""
    server = server_of_module

    def known() -> list[tuple[str, int, str]]:
        rows = server.get("/api/runs")["runs"]
        return [(row["name"], row["number"], row["status"]) for row in reversed(rows)]

    shown = notebook(0)[-1]["data"]["text/html"]
    assert known() == [("a <b> c", 1, "live")]
    (row,) = server.get("/api/runs")["runs"]
    assert f'<a href="{server.url}/runs/{row["id"]}"' in shown
    assert "a &lt;b&gt; c</strong></a> · live at step 4" in shown
    assert "unused.weight" in shown
    assert "module not called" in shown
    page = notebook(1)[-1]["data"]["text/html"]
    assert f'<iframe src="{server.url}/runs/{row["id"]}"' in page
    assert "height:300px" in page

    ended = "gradgate: 'a <b> c', which was attached before, has ended."
    assert ended in said(notebook(0)), "the cell made another model"
    wait_for(lambda: known() == [("a <b> c", 1, "finished"), ("a <b> c", 2, "live")])
    assert ended in said(notebook(2)), "another cell attached the same model"
    wait_for(lambda: [status for *_, status in known()] == ["finished", "finished", "live"])
    assert "[True, True]" in said(notebook(3)), "one execution may attach several"
    assert known()[-1] == ("other", 1, "live"), "the run of another cell goes on"


def test_a_cell_is_repeated_by_a_later_execution_of_it() -> None:
    """Not by the same, by another cell, or where nothing was attached in a cell."""
    cell = Cell("a", 3)
    earlier = (Cell("a", 2), Cell("a", 3), Cell("b", 2), None)
    assert [cell.repeats(each) for each in earlier] == [True, False, False, False]


@pytest.mark.parametrize("metadata", [{"cellId": "a7"}, {}, None])
def test_a_frontend_that_names_its_cells_is_believed(
    monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str] | None
) -> None:
    """So that a cell that was edited is the same cell; else its code is what it is known by."""
    frame = sys._getframe()
    shell = SimpleNamespace(
        user_ns=frame.f_globals, execution_count=3, get_parent=lambda: {"metadata": metadata}
    )
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert running_cell(frame) == Cell("a7" if metadata else __file__, 3)


def test_a_script_is_no_notebook() -> None:
    """It has no cell, and its name is its own."""
    assert (running_cell(None), notebook_name(None)) == (None, None)
