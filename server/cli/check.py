"""The command `gradgate check`: what a training script trains, before the hours are spent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ..export.check.baseline import BaselineError, baseline_of, read_baseline
from ..export.check.processes import merged
from ..export.check.sarif import sarif
from ..export.check.verdict import CheckExit, exit_of, verdict
from ..protocol.check import CheckReport
from ..web.check_report import check_markup
from .failures import Interrupted, Misused
from .script import SETTINGS, Script, runs_a_script
from .terminal import plain
from .texts.checks import check_lines

_FILE = click.Path(dir_okay=False, path_type=Path)
_JUDGED = (CheckExit.WELL, CheckExit.FOUND)
"""How a check ends that has seen what the script trains."""


class ScriptFailed(click.ClickException):
    """The script's process ended before there was a report."""

    exit_code = CheckExit.FAILED


@click.command(
    context_settings=SETTINGS,
    epilog=(
        "Options come before SCRIPT; what follows it is its own, and what it prints goes to "
        "stderr. Ends with 0 when nothing is wrong; with 1 when something is; with 2 when there is "
        "no such script or an option is wrong; with 3 when the script fails; with 4 when it makes "
        "no step; with 5 when it trains no model that could be found; with 6 when it makes no step "
        "for too long."
    ),
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Stop the script after so many steps.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop the script where it makes no step for so long.",
)
@click.option(
    "--expect",
    multiple=True,
    metavar="TARGET",
    help="What ought to train: a name, a module's path or a glob; several times for several.  "
    "[default: all that requires a gradient]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--sarif", "sarif_file", type=_FILE, help="Write the findings as SARIF 2.1.0.")
@click.option("--html", "html_file", type=_FILE, help="Write the report as a page of its own.")
@click.option("--baseline", type=_FILE, help="Findings that are accepted: only others fail.")
@click.option(
    "--write-baseline", is_flag=True, help="Accept what is found now, in the file of --baseline."
)
@runs_a_script
def check(
    script: Script,
    steps: int,
    limit: float,
    expect: tuple[str, ...],
    as_json: bool,
    sarif_file: Path | None,
    html_file: Path | None,
    baseline: Path | None,
    write_baseline: bool,
) -> None:
    """Run a training script for a few steps, and say what trains, what does not, and why.

    The script is left as it is: the models and the optimizers that it makes are found when it
    trains the first time. What it saves or deletes in its first steps it does.
    """
    if write_baseline and baseline is None:
        raise click.UsageError("--write-baseline wants --baseline FILE, which it is written to.")
    for file in (sarif_file, html_file, baseline):
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f"There is no folder {str(file.parent)!r} for {file.name!r}.")
    try:
        accepted = read_baseline(baseline) if baseline and not write_baseline else None
    except BaselineError as error:
        raise Misused(str(error)) from error
    report = _report(
        script, [f"--steps={steps}", f"--limit={limit}", *(f"--expect={each}" for each in expect)]
    )
    if baseline and write_baseline and exit_of(report) in _JUDGED:
        accepted = baseline_of(report)
        _write(baseline, accepted.text)
    elif baseline and write_baseline:
        click.echo(f"No baseline is written: {plain(verdict(report))}", err=True)
    if accepted is not None:
        report = accepted.accept(report)
    if sarif_file is not None:
        _write(sarif_file, json.dumps(sarif(report), indent=2) + "\n")
    if html_file is not None:
        _write(html_file, check_markup(report))
    if as_json:
        told = {"exit_code": exit_of(report), **report.model_dump(mode="json")}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in check_lines(report):
            click.echo(plain(line))
    click.get_current_context().exit(exit_of(report))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise Misused(f"{str(file)!r} cannot be written: {error.strerror}.") from error


def _report(script: Script, options: list[str]) -> CheckReport:
    """Run the script in a process of the probe's, and read what that has found."""
    with TemporaryDirectory(prefix="gradgate-") as folder:
        file = Path(folder, "report.json")
        command = script.command("check", [*options, f"--report={file}"])
        with subprocess.Popen(command, stdout=sys.stderr) as process:
            # Whoever ends a check ends the script with it, which might train for hours.
            signal.signal(signal.SIGTERM, lambda *_: process.terminate())
            try:
                code = process.wait()
            except KeyboardInterrupt as error:  # which the script has had, too
                process.wait()
                raise Interrupted("Interrupted.") from error
        if file.exists():
            own = CheckReport.model_validate_json(file.read_bytes())
            children = sorted(file.parent.glob(f"{file.name}.*"))
            told = [each.read_bytes() for each in children]
            return merged(own, [CheckReport.model_validate_json(each) for each in told if each])
    if code == CheckExit.MISUSED:  # and it has said why
        click.get_current_context().exit(code)
    if code in (-2, 130):
        raise Interrupted("Interrupted.")
    raise ScriptFailed(
        f"The script's process ended with exit code {code} before anything could be said of it."
    )
