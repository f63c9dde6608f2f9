"""The routes of explanations and alerts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from ...protocol.alerts import AlertRows
from ...protocol.explanations import ExplanationRows
from ...protocol.fields import Name
from ...store.alerts import alert_rows
from ...store.explanations import explanation_rows
from ..dependencies import ReadRunOf, StoreOf


def list_explanations(
    run: ReadRunOf, store: StoreOf, match: Annotated[Name | None, Query()] = None
) -> ExplanationRows:
    """What the latest traced step showed; `match` is a parameter's name, a module or a glob."""
    with store.read() as connection:
        return explanation_rows(connection, run, match)


def list_alerts(run: ReadRunOf, store: StoreOf) -> AlertRows:
    """What the job tells unasked: what is wrong, and as notes what is worth knowing."""
    with store.read() as connection:
        return AlertRows(alerts=alert_rows(connection, run))
