"""The command `gradgate`."""

from __future__ import annotations

import click

from ..protocol.version import VERSION
from .alerts import alerts
from .demo import demo
from .explain import explain
from .export import export
from .freeze import freeze
from .gate import gate
from .gates import gates
from .parameters import parameters
from .runs import runs
from .serve import serve
from .thaw import thaw
from .ungate import ungate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gradgate")
def main() -> None:
    """Watch, explain and steer gradient flow in a PyTorch job while it trains."""


for command in (
    serve,
    demo,
    runs,
    parameters,
    freeze,
    thaw,
    gate,
    ungate,
    gates,
    explain,
    alerts,
    export,
):
    main.add_command(command)
