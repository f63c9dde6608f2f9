"""Explanations and alerts over REST."""

from __future__ import annotations

from starlette.testclient import TestClient

from gradgate.server.protocol.probe_messages import Alerts, Explanations
from gradgate.server.store.alerts import record_alerts
from gradgate.server.store.explanations import record_explanations
from gradgate.server.web.dependencies import Parts
from tests.support.probing import alert, explanation

ALERT = alert(0, cause=None, detail=None)


def test_what_a_traced_step_showed(client: TestClient, parts: Parts, known: str) -> None:
    """All of it, or what a target means."""
    path = f"/api/runs/{known}/explanations"
    assert client.get(path).json()["step"] is None
    both = [explanation(0, "a.weight"), explanation(1, "a.bias")]
    traced = Explanations.model_validate(
        {
            "type": "explanations",
            "seq": 1,
            "step": 5,
            "seconds": 0.5,
            "explanations": both,
            "total": 9,
        }
    )
    parts.hub.writer.submit(
        lambda connection: record_explanations(connection, known, traced, 2.0)
    ).result(20)
    found = client.get(path).json()
    assert (found["step"], found["by"], found["total"], found["left_out"]) == (5, "job", 9, 7)
    assert found["explanations"] == both
    chosen = client.get(path, params={"match": "*.bias"}).json()["explanations"]
    assert [each["name"] for each in chosen] == ["a.bias"]
    assert client.get("/api/runs/nothing/explanations").status_code == 404


def test_the_alerts_of_a_run(client: TestClient, parts: Parts, known: str) -> None:
    """The absolute state, in the order of the job."""
    path = f"/api/runs/{known}/alerts"
    assert client.get(path).json() == {"alerts": []}
    told = [{**ALERT, "parameter": 1, "name": "a.bias"}, ALERT]
    frame = Alerts.model_validate({"type": "alerts", "seq": 1, "alerts": told})
    parts.hub.writer.submit(lambda connection: record_alerts(connection, known, frame)).result(20)
    assert client.get(path).json() == {"alerts": told}
    assert client.get("/api/runs/nothing/alerts").status_code == 404
