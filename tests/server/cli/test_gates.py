"""The command `gradgate gates`."""

from __future__ import annotations

import json

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, gate, hello
from tests.support.serving import ServerProcess


def test_gates_are_listed(shared_server: ServerProcess, run: str, terminal: Terminal) -> None:
    """A line a gate, what is wrong below, or every figure as JSON; or that there is none."""
    arguments = ("gates", run, "--server", shared_server.url)
    with FakeProbe(shared_server, hello(run)) as probe:
        assert terminal.run(*arguments).stdout.startswith("No gate in digits")
        probe.gates(
            1,
            gate(1, site="output:\x1b[2J"),
            gate(2, action="clip", max_norm=2.5, closed=False, problem="no metric is named lr"),
            gate(12, action="scale", factor=0.5, paused=True, steps=0, norm_in=None, norm_out=None),
        )
        probe.until_acked(1)
        table = terminal.run(*arguments).stdout.splitlines()
        rows = json.loads(terminal.run(*arguments, "--json").stdout)
    assert table[0].split("  ")[0].strip() == "GATE"
    assert table[1].split() == [
        *("1", "output:\ufffd[2J", "block", "norm", ">", "10", "closed"),
        *("20", "%", "of", "40", "12.5", "0"),
    ]
    assert "clip to 2.5" in table[2]
    assert "  open  " in table[2]
    assert table[3].split() == [
        *("12", "output:a", "scale", "by", "0.5", "norm", ">", "10", "paused")
    ]
    assert table[4] == "gate 2: no metric is named lr"
    assert rows == shared_server.get(f"/api/runs/{run}/gates")["gates"]
