"""Events over REST: listed, chosen, and dismissed."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.support.probing import NONFINITE, PRESENT, FakeProbe
from tests.support.serving import ServerProcess


def test_what_happened_is_listed_and_dismissed(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Newest first; one that is put aside says since when, and may be left out."""
    path = f"/api/runs/{run}/events"
    shared_server.post(f"/api/runs/{run}/commands", {"kind": "freeze", "target": "head"})
    probe.sample(1, [1, 1, 1], [PRESENT, PRESENT, PRESENT])
    probe.sample(2, [float("nan"), 1, 1], [NONFINITE, PRESENT, PRESENT])
    probe.until_acked(2)
    rows = shared_server.get(path)["events"]
    assert [(row["id"], row["kind"], row["level"]) for row in rows] == [
        (3, "nonfinite", "alert"),
        (2, "command", "note"),
        (1, "run", "note"),
    ]
    assert (rows[0]["parameters"], rows[0]["step"]) == (["encoder.weight"], 2)
    assert rows[1]["sentence"] == "Command 1, freeze head, was requested by api at step 0."
    chosen = shared_server.get(path, kind="nonfinite", parameter="decoder.weight")["events"]
    assert [row["id"] for row in chosen] == [3]
    aside = shared_server.post(f"{path}/2/dismiss", {}).json()
    assert aside["dismissed"] > rows[1]["time"]
    assert [row["id"] for row in shared_server.get(path, dismissed="false")["events"]] == [3, 1]


def test_what_cannot_be_is_refused_in_words(client: TestClient, known: str) -> None:
    """A kind that there is not, steps in the wrong order, unknown parameters, events and runs."""
    path = f"/api/runs/{known}/events"
    assert client.get(path, params={"kind": "party"}).status_code == 422
    reversed_steps = client.get(path, params={"from": 9, "to": 3})
    assert (reversed_steps.status_code, reversed_steps.json()["detail"]) == (
        422,
        "The range from step 9 to step 3 is reversed: give `from=3` and `to=9`.",
    )
    assert client.get(path, params={"from": 10**9}).json() == {"events": []}
    assert client.get(path, params={"parameter": "b"}).status_code == 404
    missing = client.post(f"{path}/7/dismiss")
    assert (missing.status_code, "no event 7" in missing.json()["detail"]) == (404, True)
    assert client.get("/api/runs/nobody/events").status_code == 404
