"""The routes of runs and their parameters."""

from __future__ import annotations

from ...protocol.parameters import ParameterRows
from ...protocol.runs import RunRow, Runs
from ...store.parameters import parameter_rows
from ...store.runs import run_row, run_rows
from ..dependencies import StoreOf


def list_runs(store: StoreOf) -> Runs:
    """Every run, newest first."""
    with store.read() as connection:
        return Runs(runs=run_rows(connection))


def get_run(run: str, store: StoreOf) -> RunRow:
    """One run."""
    with store.read() as connection:
        return run_row(connection, run)


def list_parameters(run: str, store: StoreOf) -> ParameterRows:
    """Every parameter in model order, with its latest figures."""
    with store.read() as connection:
        return ParameterRows(parameters=parameter_rows(connection, run))
