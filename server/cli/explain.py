"""The command `gradgate explain`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click
from pydantic import ValidationError

from ..protocol import limits
from ..protocol.alerts import Alert
from ..protocol.commands.explain import ExplainRequest
from ..protocol.explanations import ExplanationRows
from ..protocol.runs import RunRow, RunStatus
from ..store.targets import meant
from .choose_run import choose
from .client import Client
from .dispatch import send
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs
from .texts.alerts import alert_lines
from .texts.explanations import explanation_lines


@click.command(
    epilog=epilogs.RUN
    + epilogs.TARGET
    + "Of a run that has finished it shows what is known. "
    + "Ends with 0 when the job has answered, whatever it found; with 1 when it did not; "
    + epilogs.FAULTS
)
@click.argument("run")
@click.argument("target", default="*")
@click.option("--no-ask", is_flag=True, help="Show what is known; do not ask the job.")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, as JSON.")
@asks_a_server
def explain(client: Client, /, run: str, target: str, no_ask: bool, as_json: bool) -> None:
    """Say why parameters of a run have no useful gradient, where, and what to change.

    Their alerts and notes, as of weights that do not move, follow.
    """
    asked = _request(target)
    row = choose(client.runs(), run)
    if row.status.ended and not no_ask:
        click.echo(
            plain(f"{row.name} ({row.id}) has {row.status.value}: this is what is known."), err=True
        )
    elif not no_ask:
        send(client, row, asked)
    known = client.explanations(row.id, target)
    if as_json:
        click.echo(json.dumps(known.model_dump(mode="json"), indent=2))
        return
    told = _told(client.alerts(row.id), known, target)
    for line in (*_lines(known, row, target, bool(told)), *alert_lines(told)):
        click.echo(plain(line))


def _request(target: str) -> ExplainRequest:
    try:
        return ExplainRequest(kind="explain", target=target, by="cli")
    except ValidationError as error:
        raise click.UsageError(
            f"A target has 1 to {limits.NAME_CHARACTERS} characters and no zero byte: "
            "give a parameter's name, a module's path, or a glob, or leave it out for all."
        ) from error


def _told(alerts: Sequence[Alert], known: ExplanationRows, target: str) -> list[Alert]:
    """Return what is told of a target, beside what its explanations say."""
    said = {each.detail for each in known.explanations}
    places = meant(target, [[each.name or ""] for each in alerts])
    return [alerts[place] for place in places if alerts[place].detail not in said]


def _lines(known: ExplanationRows, run: RunRow, target: str, told: bool) -> Iterator[str]:
    if known.step is None or known.seconds is None:
        ended = run.status is not RunStatus.LIVE
        what = "before it ended." if ended else "yet: ask the job, without --no-ask."
        yield f"No step of {run.name} ({run.id}) was traced {what}"
        if told:
            yield ""
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
    if told:
        yield ""
