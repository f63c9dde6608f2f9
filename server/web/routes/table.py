"""Every route of the REST API (docs/protocol.md, section 3), in the order of its documents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, StreamingResponse

from ...protocol.health import Health
from ...protocol.heatmap import HeatmapRows
from ...protocol.history import Sparklines
from ...protocol.parameters import ParameterRows
from ..packed import EITHER
from ..refusals import Fault
from . import (
    audit,
    commands,
    events,
    explanations,
    exports,
    gates,
    health,
    heatmap,
    history,
    metrics,
    optimizers,
    runs,
)

_FAULTS = {
    400: "The server does not answer to this host",
    401: "A token is wanted",
    403: "The token, or the page that asks, may not do this",
    404: "What is meant is not there",
    409: "What is meant is in no state for this, or may be any of several runs",
    413: "The body is too large",
    429: "Too much is asked at once, or the address has shown too many wrong tokens",
    503: "The store or the job does not answer now",
    504: "The job did not answer in time",
}


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application."""
    of_many = APIRouter(
        prefix="/api", tags=["runs"], responses=_faults(400, 401, 403, 413, 429, 503)
    )
    of_many.get("/runs")(runs.list_runs)
    of_many.get("/audit", responses=_faults(404))(audit.list_audit)
    of_many.get("/sparklines")(history.get_metric_sparklines)
    app.include_router(of_many)
    of_runs = APIRouter(
        prefix="/api/runs",
        tags=["runs"],
        responses=_faults(400, 401, 403, 404, 409, 413, 429, 503),
    )
    of_runs.get("/{run}")(runs.get_run)
    of_runs.patch("/{run}")(runs.patch_run)
    of_runs.delete("/{run}", status_code=204)(runs.delete_run)
    of_runs.get("/{run}/parameters", response_model=ParameterRows, responses=EITHER)(
        runs.list_parameters
    )
    of_runs.get("/{run}/series")(history.get_series)
    of_runs.get("/{run}/sparklines", response_model=Sparklines, responses=EITHER)(
        history.get_sparklines
    )
    of_runs.get("/{run}/heatmap", response_model=HeatmapRows, responses=EITHER)(heatmap.get_heatmap)
    of_runs.get("/{run}/metrics")(history.get_metrics)
    of_runs.get("/{run}/times")(history.get_times)
    of_runs.post("/{run}/commands", status_code=202)(commands.post_command)
    of_runs.get("/{run}/gates")(gates.list_gates)
    of_runs.get("/{run}/optimizers")(optimizers.list_optimizers)
    of_runs.get("/{run}/explanations")(explanations.list_explanations)
    of_runs.get("/{run}/alerts")(explanations.list_alerts)
    of_runs.get("/{run}/events")(events.list_events)
    of_runs.post("/{run}/events/{number}/dismiss")(events.post_dismissal)
    of_runs.post("/{run}/trial", responses=_faults(504))(gates.post_trial)
    of_runs.get("/{run}/preview", responses=_faults(504))(commands.get_preview)
    of_runs.get("/{run}/commands")(commands.list_commands)
    of_runs.get("/{run}/commands/{number}")(commands.get_command)
    of_runs.get("/{run}/export", response_class=StreamingResponse)(exports.export_run)
    app.include_router(of_runs)
    of_the_server = APIRouter(tags=["health"], responses=_faults(400, 413))
    of_the_server.get("/healthz", responses={503: {"model": Health}})(health.get_health)
    app.include_router(of_the_server)
    of_watchers = APIRouter(tags=["health"], responses=_faults(400, 401, 403, 413, 429))
    of_watchers.get("/metrics", response_class=PlainTextResponse)(metrics.get_metrics)
    app.include_router(of_watchers)


def _faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of these statuses."""
    return {each: {"model": Fault, "description": _FAULTS[each]} for each in statuses}
