"""The command `gradgate`."""

from __future__ import annotations

import click

from ..protocol.version import VERSION
from .alerts import alerts
from .archive import archive
from .audit import audit
from .backup import backup
from .cause import cause
from .check import check
from .delete import delete
from .demo import demo
from .doctor import doctor
from .events import events
from .explain import explain
from .export import export
from .freeze import freeze
from .gate import gate
from .gates import gates
from .keep import keep
from .note import note
from .open import open_recording
from .parameters import parameters
from .rename import rename
from .run import run
from .runs import runs
from .send import send
from .serve import serve
from .tag import tag
from .thaw import thaw
from .unarchive import unarchive
from .ungate import ungate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gradgate")
def main() -> None:
    """Watch, explain and steer gradient flow in a PyTorch job while it trains."""


_OF_JOBS = (parameters, freeze, thaw, gate, ungate, gates, explain, alerts, events, export)
_OF_RUNS = (runs, rename, tag, note, keep, archive, unarchive, delete)

for command in (
    serve,
    demo,
    run,
    check,
    cause,
    send,
    open_recording,
    backup,
    doctor,
    audit,
    *_OF_RUNS,
    *_OF_JOBS,
):
    main.add_command(command)
