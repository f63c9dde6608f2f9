"""Gates and their trials over REST."""

from __future__ import annotations

from sqlalchemy import update
from starlette.testclient import TestClient

from gradgate.server.store.tables import runs
from gradgate.server.web.dependencies import Parts
from tests.support.probing import gate


def test_the_gates_of_a_run(client: TestClient, parts: Parts, known: str) -> None:
    """As the job reported them, with the names of their parameters."""
    assert client.get(f"/api/runs/{known}/gates").json() == {"gates": []}
    statement = update(runs).values(gates=[gate(3), gate(4, parameters=[])])
    parts.hub.writer.submit(lambda connection: connection.execute(statement)).result(20)
    found = client.get(f"/api/runs/{known}/gates").json()["gates"]
    assert [(row["id"], row["parameters"], row["count"]) for row in found] == [
        (3, ["a.weight", "a.bias"], 2),
        (4, [], 0),
    ]
    assert client.get("/api/runs/nothing/gates").status_code == 404


def test_without_a_job_nothing_is_tried(client: TestClient, known: str) -> None:
    """A trial wants the job, and a gate that can be."""
    path = f"/api/runs/{known}/trial"
    assert client.post(path, json={"site": "output:a"}).status_code == 503
    assert client.post(path, json={"site": "nowhere"}).status_code == 422
