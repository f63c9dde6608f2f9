"""The command `gradgate parameters`."""

from __future__ import annotations

import json

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


def test_parameters_are_listed_and_sorted(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """A line a parameter, what has no figure last; of a glob or a module; or that none is meant."""
    arguments = ("parameters", run, "--server", shared_server.url)
    names = ["a.weight", "a.bias", "b.weight"]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        ratios, weights = [0.25, float("nan"), 0.5], [2, 3, 4]
        probe.sample(1, [1, 2, 3], update_ratio=ratios, weight_norm=weights)
        probe.until_acked(1)
        lines = terminal.run(*arguments, "--sort", "update_ratio").stdout.splitlines()
        rows = json.loads(terminal.run(*arguments, "a.*", "--json").stdout)
        none = terminal.run(*arguments, "c*").stdout
        module = terminal.run(*arguments, "b").stdout.splitlines()
    assert lines[0].split("  ")[0] == "PARAMETER"
    assert [line.split()[0] for line in lines[1:]] == ["b.weight", "a.weight", "a.bias"]
    assert lines[1].split()[1:5] == ["present", "3", "0.5", "4"]
    assert [row["name"] for row in rows] == ["a.weight", "a.bias"]
    assert [line.split()[0] for line in module[1:]] == ["b.weight"]
    assert none.startswith("'c*' means no parameter of ")
