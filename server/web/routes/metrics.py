"""The route of the server's metrics."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from ..dependencies import PartsOf


def get_metrics(parts: PartsOf) -> Response:
    """What the server does and holds, in the text format of Prometheus."""
    return Response(parts.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
