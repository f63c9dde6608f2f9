"""The commands `gradgate explain` and `gradgate alerts`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click
from pydantic import ValidationError

from ..protocol import limits
from ..protocol.alerts import Alert
from ..protocol.rows import ExplainRequest, ExplanationRows, RunRow
from .choose_run import choose
from .client import Client
from .explanation_text import explanation_lines
from .options import asks_a_server
from .steering import ask
from .terminal import plain

_RUN = "RUN is an id of `gradgate runs`, the beginning of one, or a name that one live run has. "
_FAULTS = (
    "with 2 when the run or an option is wrong; with 3 without a server; with 4 without its token."
)


@click.command(
    epilog=_RUN
    + "TARGET is a parameter's name, a module's path, or a glob such as '*.bias'. Ends with 0 when "
    "the job has answered, whatever it found; with 1 when it did not; " + _FAULTS
)
@click.argument("run")
@click.argument("target", default="*")
@click.option("--no-ask", is_flag=True, help="Show what is known; do not ask the job.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, as JSON.")
@asks_a_server
def explain(client: Client, /, run: str, target: str, no_ask: bool, as_json: bool) -> None:
    """Say why parameters of a run have no useful gradient, where, and what to change."""
    asked = _request(target)
    row = choose(client.runs(), run)
    if not no_ask:
        ask(client, row, asked)
    known = client.explanations(row.id, target)
    if as_json:
        click.echo(json.dumps(known.model_dump(mode="json"), indent=2))
        return
    for line in _lines(known, row, target):
        click.echo(plain(line))


@click.command(
    epilog=_RUN + "Ends with 0 when there is no alert; with 1 when there is one; " + _FAULTS
)
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print every alert, as JSON.")
@asks_a_server
def alerts(client: Client, /, run: str, as_json: bool) -> None:
    """List what was expected to train in a run, and has no useful gradient."""
    row = choose(client.runs(), run)
    found = client.alerts(row.id)
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    elif found:
        for line in _alert_lines(found, row.alerts - len(found)):
            click.echo(plain(line))
    else:
        click.echo(plain(_no_alert(row)))
    if found:
        click.get_current_context().exit(1)


def _request(target: str) -> ExplainRequest:
    try:
        return ExplainRequest(kind="explain", target=target, by="cli")
    except ValidationError as error:
        raise click.UsageError(
            f"A target has 1 to {limits.NAME_CHARACTERS} characters and no zero byte: "
            "give a parameter's name, a module's path, or a glob, or leave it out for all."
        ) from error


def _lines(known: ExplanationRows, run: RunRow, target: str) -> Iterator[str]:
    if known.step is None or known.seconds is None:
        yield f"No step of {run.name} ({run.id}) was traced yet: ask the job, without --no-ask."
        return
    cost = f"{known.seconds:.3g} s"
    cost += "" if known.ratio is None else f", {known.ratio:.3g} times a normal step"
    yield f"step {known.step:,} of {run.name} ({run.id}), traced in {cost}"
    yield ""
    if known.explanations:
        yield from explanation_lines(known.explanations)
    elif target != "*":
        yield f"{target!r} means no parameter that is known to lack a useful gradient."
    elif not known.left_out:
        yield "Every parameter has a useful gradient."
    if known.left_out:
        yield ""
        yield f"And {known.left_out:,} more, which the job did not list."


def _alert_lines(alerts: Sequence[Alert], left_out: int) -> Iterator[str]:
    for each in alerts:
        since = f"no useful gradient since step {each.since_step:,}"
        yield f"{each.name}: {since}: {each.cause or 'not explained yet'}"
        if each.detail:
            yield f"    {each.detail}"
    if left_out > 0:
        yield f"And {left_out:,} more."


def _no_alert(run: RunRow) -> str:
    if run.expect:
        return f"No alert in {run.name} ({run.id}), which expects {', '.join(run.expect)} to train."
    return (
        f"No alert in {run.name} ({run.id}), of which nothing is expected: "
        "`probe.attach(..., expect=['encoder.*'])` says what ought to train."
    )
