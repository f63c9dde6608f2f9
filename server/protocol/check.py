"""The report of a check, as the probe's process writes it and as `gradgate check --json` has it."""

from __future__ import annotations

from typing import Literal

from .models import Message


class SourceLines(Message):
    """Line `line` of a file with a few around it; the first of `lines` has the number `first`."""

    file: str
    line: int
    first: int
    lines: list[str]


class CheckedModel(Message):
    """A model that was watched: the script's name for it, "" where there is just one."""

    name: str
    kind: str


class CheckedProcess(Message):
    """A process that the script started, by `multiprocessing` or as a launcher starts ranks.

    `checked`: it was told to check itself; `steps`: those that it made, null where it has not
    reported, as one that was killed.
    """

    name: str
    checked: bool
    steps: int | None = None


class CheckedParameter(Message):
    """What became of a parameter while the check looked.

    `trainable`: it required a gradient in the last sample; `state`: that of its gradient then;
    `moved`: its bits have changed, null where they cannot be read; `at_times`: it had a useful
    gradient, though not in the last sample, as an expert that not every batch asks for;
    `processes`: those that this holds for, where it does not for all that train; "" is the script's
    own.
    """

    name: str
    numbers: int
    trainable: bool
    state: str
    in_optimizer: bool
    moved: bool | None
    at_times: bool
    processes: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Return whether an optimizer moved it by a gradient."""
        useful = self.state == "present" or self.at_times
        return self.trainable and self.in_optimizer and useful and bool(self.moved)


class CheckFinding(Message):
    """A cause, of a parameter or, without a name, of the whole run.

    `level`: an `error` fails the check, a `note` is worth knowing, `untrained` says why a parameter
    does not train of which nobody expects that. `file` is an absolute path.
    `processes`: those in which it was found, where it was not in all that train; "" is the
    script's own.
    """

    level: Literal["error", "note", "untrained"]
    cause: str | None
    name: str | None
    since_step: int | None
    detail: str
    advice: str
    file: str | None
    line: int | None
    source: SourceLines | None
    accepted: bool = False
    """It is in the baseline, and so fails nothing."""
    processes: tuple[str, ...] = ()


class CheckReport(Message):
    """Everything that a check says of a script.

    `file`: the path of the script; `outcome`: it was stopped after `steps_wanted` steps, came to
    its end, called `sys.exit()` with `script_exit_code`, or
    raised; `error` is what it said then.
    `problem` and `lack` say why nothing was watched, `misused` that an expectation names nothing,
    `never_steps` that forwards went by without a step, `timed_out` that no step was made for
    `limit` seconds. `loose` is how many tensors an optimizer holds and no model, which are not
    checked. `processes` are those that the script started; `process` is the name of
    the one that reports, "" for the script's own.
    """

    process: str = ""
    script: str
    file: str
    arguments: list[str]
    folder: str
    started: float
    seconds: float
    torch: str
    outcome: Literal["stopped", "ended", "exited", "raised"]
    script_exit_code: int
    error: str | None
    problem: str | None
    misused: bool
    lack: str | None
    steps_wanted: int
    steps: int
    never_steps: bool
    limit: float
    timed_out: bool
    models: list[CheckedModel]
    optimizers: list[str]
    processes: list[CheckedProcess]
    parameters: list[CheckedParameter]
    loose: int = 0
    findings: list[CheckFinding]

    @property
    def errors(self) -> list[CheckFinding]:
        """Return the findings that fail the check."""
        return [each for each in self.findings if each.level == "error" and not each.accepted]
