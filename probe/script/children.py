"""The processes that a script starts to train in: each is told to check itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeAlias

from ..torch_compat.patching import Interception

Target: TypeAlias = Callable[..., object]
TargetMaker: TypeAlias = Callable[[Target, str, Path], Target]
"""Makes what a process is to call instead of its target, which has a name and its report's file."""
CommandMaker: TypeAlias = Callable[[str, Path], list[str]]
"""Makes the command that is a script's beginning in a process of that name and report's file."""
_RANK = "LOCAL_RANK"
"""What a launcher such as torchrun gives each process that it starts to train in."""


@dataclass(frozen=True)
class ProcessRecord:
    """A process that the script started."""

    name: str
    checked: bool
    """It was told to check itself, and does so unless it is killed."""


class Children:
    """Hears of what ``multiprocessing`` starts, but for daemons, and of the ranks of a launcher.

    A file is made for the report of each, and touched by the child with each step.
    """

    def __init__(self, file: Path, target: TargetMaker, command: CommandMaker) -> None:
        """``file``: the report of this process: those of the children stand beside it."""
        self._file = file
        self._target = target
        self._command = command
        self._process = os.getpid()
        self.records: list[ProcessRecord] = []
        self._files: list[Path] = []
        self._starts = (
            Interception(BaseProcess, "start", self._start),
            Interception(subprocess.Popen, "__init__", self._open),
        )
        for each in self._starts:
            each.start()

    def stop(self) -> None:
        """Hear of no more."""
        for each in self._starts:
            each.stop()

    @property
    def idle(self) -> float:
        """Return the seconds since one has begun, stepped or ended; infinity if there is none."""
        latest = [each.stat().st_mtime for each in self._files]
        return time.time() - max(latest) if latest else float("inf")

    @property
    def seen(self) -> bool:
        """Return whether all have reported, and one of them was stopped after its steps."""
        if not self._files or any(not each.stat().st_size for each in self._files):
            return False
        reports = [json.loads(each.read_bytes()) for each in self._files]
        return any(each["outcome"] == "stopped" and each["steps"] for each in reports)

    def _start(self, start: Callable[[Any], None], process: Any) -> None:
        # Loaders make daemons; those that train, as torch.multiprocessing.spawn makes, are none.
        if os.getpid() == self._process and not process.daemon:
            target = process._target  # of one that has a `run` of its own it may be None
            overridden = type(process).run is not BaseProcess.run
            if overridden or target is None:
                self.records.append(ProcessRecord(process.name, checked=False))
            else:
                process._target = self._target(target, process.name, self._begin(process.name))
        start(process)

    def _open(
        self, make: Callable[..., None], process: Any, args: Any, *more: Any, **options: Any
    ) -> None:
        environment = options.get("env") or os.environ
        if _RANK in environment and _RANK not in os.environ and os.getpid() == self._process:
            called = _python_call(args)
            name = f"rank {environment.get('RANK', environment[_RANK])}"
            if called is None:
                self.records.append(ProcessRecord(name, checked=False))
            else:
                flags, rest = called
                args = [sys.executable, *flags, *self._command(name, self._begin(name)), *rest]
        make(process, args, *more, **options)

    def _begin(self, name: str) -> Path:
        self.records.append(ProcessRecord(name, checked=True))
        file = Path(f"{self._file}.{len(self.records)}")
        file.touch()
        self._files.append(file)
        return file


def _python_call(args: object) -> tuple[list[str], list[str]] | None:
    """Return the flags of Python and what comes behind them, if this Python is what is called."""
    if not isinstance(args, Sequence) or isinstance(args, str) or args[0] != sys.executable:
        return None
    rest = list(args[1:])
    flags = []
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
        flags.append(rest.pop(0))
    if not rest or rest[0] in ("-c", "-"):
        return None
    return flags, ["--module", *rest[1:]] if rest[0] == "-m" else rest
