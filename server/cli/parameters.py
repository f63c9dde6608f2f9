"""The command `gradgate parameters`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import click

from ..protocol.parameters import ParameterRow
from ..store.targets import meant
from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .terminal import plain, table
from .texts import epilogs

_HEAD = ("PARAMETER", "STATE", "GRAD NORM", "UPDATE RATIO", "WEIGHT NORM", "NUMBERS")
_RIGHT = frozenset({2, 3, 4, 5})
FIGURES: dict[str, Callable[[ParameterRow], float | None]] = {
    "grad_norm": lambda row: row.grad_norm,
    "grad_max": lambda row: row.grad_max,
    "update_ratio": lambda row: row.update_ratio,
    "weight_norm": lambda row: row.weight_norm,
}
"""What rows can be sorted by."""


@click.command(
    epilog=epilogs.RUN + epilogs.TARGET + "Ends with 0 when it was answered; " + epilogs.FAULTS
)
@click.argument("run")
@click.argument("target", default="*")
@click.option("--sort", type=click.Choice(list(FIGURES)), help="The largest first.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure, as JSON.")
@asks_a_server
def parameters(client: Client, /, run: str, target: str, sort: str | None, as_json: bool) -> None:
    """List the parameters of a run that TARGET means, with their latest figures.

    The update ratio is how far the latest step that was looked at moved a weight, to its own
    norm: exact up to 4,096 numbers, and above an estimate. Weights are looked at in turn.
    """
    row = choose(client.runs(), run)
    known = client.parameters(row.id)
    rows = [known[place] for place in meant(target, [each.names for each in known])]
    if sort is not None:
        rows.sort(key=lambda each: _descending(FIGURES[sort](each)))
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in rows], indent=2))
    elif rows:
        click.echo(table(_HEAD, [_cells(each) for each in rows], _RIGHT))
    else:
        click.echo(plain(f"{target!r} means no parameter of {row.name} ({row.id})."))


def _descending(value: float | None) -> float:
    return math.inf if value is None else -value


def _cells(row: ParameterRow) -> tuple[str, ...]:
    figures = (_figure(value) for value in (row.grad_norm, row.update_ratio, row.weight_norm))
    return (plain(row.name), row.state, *figures, f"{row.numel:,}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
