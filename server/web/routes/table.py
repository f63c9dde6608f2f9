"""Every route of the REST API (docs/protocol.md, section 3), in the order of its documents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import StreamingResponse

from ...protocol.health import Health
from ...protocol.heatmap import HeatmapRows
from ...protocol.history import Sparklines
from ...protocol.parameters import ParameterRows
from ..packed import EITHER
from ..refusals import Fault
from . import (
    commands,
    events,
    explanations,
    exports,
    gates,
    health,
    heatmap,
    history,
    optimizers,
    runs,
)

UNANSWERED: dict[int | str, dict[str, Any]] = {
    code: {"model": Fault} for code in (409, 429, 503, 504)
}


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application."""
    of_runs = APIRouter(prefix="/api/runs", tags=["runs"])
    of_runs.get("")(runs.list_runs)
    of_runs.get("/{run}")(runs.get_run)
    of_runs.patch("/{run}", responses={409: {"model": Fault}})(runs.patch_run)
    of_runs.delete("/{run}", status_code=204, responses={409: {"model": Fault}})(runs.delete_run)
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
    of_runs.post("/{run}/trial", responses=UNANSWERED)(gates.post_trial)
    of_runs.get("/{run}/preview", responses=UNANSWERED)(commands.get_preview)
    of_runs.get("/{run}/commands")(commands.list_commands)
    of_runs.get("/{run}/commands/{number}")(commands.get_command)
    of_runs.get("/{run}/export", response_class=StreamingResponse)(exports.export_run)
    app.include_router(of_runs)
    of_many = APIRouter(prefix="/api", tags=["runs"])
    of_many.get("/sparklines")(history.get_metric_sparklines)
    app.include_router(of_many)
    of_the_server = APIRouter(tags=["health"])
    of_the_server.get("/healthz", responses={503: {"model": Health}})(health.get_health)
    app.include_router(of_the_server)
