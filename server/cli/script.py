"""A training script on the command line: its name, its arguments, and the process that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import click

from .probe_process import probe_command

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Script:
    """A training script, as it was named."""

    name: str
    arguments: tuple[str, ...]
    is_module: bool

    def command(self, kind: str, options: Sequence[str]) -> list[str]:
        """Return the command of the process that runs it: the probe's, which has torch."""
        module = ["--module"] if self.is_module else []
        given = (kind, *options, *module, self.name, *self.arguments)
        return probe_command("gradgate.probe.script", *given)


def runs_a_script(command: Callable[Concatenate[Script, P], R]) -> Callable[..., R]:
    """Give a command `-m`, SCRIPT and its ARGUMENTS, and call it with the script that they name."""

    @click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module, as for `python -m`.")
    @click.argument("script")
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def running(
        is_module: bool,
        script: str,
        arguments: tuple[str, ...],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        return command(Script(script, arguments, is_module), *args, **kwargs)

    running.__doc__ = command.__doc__
    running.__name__ = command.__name__
    # The options that were given below come behind.
    running.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(command, "__click_params__", []),
        *running.__click_params__,  # type: ignore[attr-defined]
    ]
    return running


SETTINGS = {"allow_interspersed_args": False}
"""The context settings of such a command: what follows SCRIPT is the script's own."""
