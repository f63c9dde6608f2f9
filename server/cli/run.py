"""The command `gradgate run`: a training script on the dashboard, without a line in it."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from .options import checked_token, hand_on_token
from .script import SETTINGS, Script, runs_a_script


@click.command(
    context_settings=SETTINGS,
    epilog="Options come before SCRIPT; what follows it is its own. Ends as the script does.",
)
@click.option("--name", help="What the dashboard shows.  [default: the script's name]")
@click.option(
    "--server",
    metavar="URL",
    help="Where the dashboard is.  [env: GRADGATE_SERVER; default: http://127.0.0.1:8765]",
)
@click.option("--token", help="The server's token.  [env: GRADGATE_TOKEN]")
@click.option(
    "--every",
    type=click.IntRange(1),
    metavar="N",
    help="Sample each n-th step.  [default: as often as 1 % of the time allows]",
)
@click.option(
    "--expect",
    multiple=True,
    metavar="TARGET",
    help="What ought to train: a name, a module's path or a glob; several times for several.",
)
@click.option("--strict", is_flag=True, help="Have the script fail where that does not train.")
@click.option("--no-source", is_flag=True, help="Send no line of the script to the server.")
@runs_a_script
def run(
    script: Script,
    name: str | None,
    server: str | None,
    token: str | None,
    every: int | None,
    expect: tuple[str, ...],
    strict: bool,
    no_source: bool,
) -> None:
    """Run a training script, and watch what it trains.

    The script is left as it is: the models and the optimizers that it makes are found when it
    trains the first time, as `probe.attach` would be given them. A script that attaches by itself
    has the run that it makes.
    """
    # By the environment, which the list of processes does not show.
    to = hand_on_token(server or os.environ.get("GRADGATE_SERVER") or None, token)
    if to is not None:
        os.environ["GRADGATE_SERVER"] = to
    checked_token(os.environ.get("GRADGATE_TOKEN") or None)
    options = [f"--expect={each}" for each in expect] + ["--strict"] * strict
    options += ["--no-source"] * no_source
    for option, value in (("name", name), ("every", every)):
        options += [] if value is None else [f"--{option}={value}"]
    command = script.command("run", options)
    if sys.platform == "win32":
        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)  # so that signals, the terminal and the exit code are its own
