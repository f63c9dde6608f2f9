"""The optimizers' groups over REST and to pages."""

from __future__ import annotations

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

GROUP = {
    "optimizer": "AdamW",
    "number": 0,
    "group": 0,
    "parameters": [[0, 1]],
    "options": {"lr": 0.001, "betas": [0.9, 0.999], "amsgrad": False, "mode": "fast"},
}


def told(seq: int, step: int, *groups: dict[str, object]) -> dict[str, object]:
    """An `optimizers` frame."""
    return {"type": "optimizers", "seq": seq, "step": step, "groups": list(groups)}


def test_the_latest_account_is_kept(shared_server: ServerProcess, run: str) -> None:
    """It replaces the one before, and before any there is none."""
    path = f"/api/runs/{run}/optimizers"
    with FakeProbe(shared_server, hello(run)) as probe:
        assert shared_server.get(path) == {"step": None, "groups": []}
        probe.send(told(1, 5, {**GROUP, "group": 3}))
        probe.send(told(2, 9, GROUP))
        probe.until_acked(2)
    assert shared_server.get(path) == {"step": 9, "groups": [GROUP]}
    assert shared_server.page("/api/runs/0123456789abcdef/optimizers").status_code == 404


def test_a_group_of_parameters_that_are_not_in_the_table_is_refused(
    shared_server: ServerProcess, run: str
) -> None:
    """With the sentence of every frame that speaks of new ones."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(told(1, 5, {**GROUP, "parameters": [[0, 2]]}))
        _, told_last = probe.until_closed()
    assert told_last is not None
    assert "Index 2 is outside the parameter table of 2 rows" in told_last["message"]
