"""Forks Python programs, each a process of its own that need not import what this has imported.

Usage: python zygote.py SOCKET MODULE..., where SOCKET is the number of a descriptor. Each message
there is a program as `forked.py` describes it, with the descriptors of its stdout, of its stderr
and of a pipe for what becomes of it: its process number, and later its exit code.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.util
import json
import os
import random
import signal
import socket
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

LARGEST = 2**20
"""Bytes of a message, at most."""


@dataclass
class Program:
    """What is run as `__main__`."""

    code: CodeType
    module: ModuleType


def serve(channel: socket.socket) -> Program | None:
    """Fork a process for each message; return its program in each, and None at the end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            return None
        if os.fork():
            for descriptor in descriptors:
                os.close(descriptor)
            continue
        channel.close()
        supervise(descriptors)
        return load(json.loads(message))


def supervise(descriptors: list[int]) -> None:
    """Fork once more and return in that process; here tell what becomes of it, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, told = descriptors
    pid = os.fork()
    if pid == 0:
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
            os.close(stream)
        os.close(told)
        return
    for number in (1, 2, *streams):
        os.close(number)
    os.write(told, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def load(given: dict[str, Any]) -> Program:
    """Make this process what a new interpreter would be, and return its program."""
    os.environ.clear()
    os.environ.update(given["environment"])
    os.chdir(given["folder"])
    random.seed()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    arguments: list[str] = given["arguments"]
    while arguments[0] == "-W":
        action, _, category = arguments[1].partition("::")
        warnings.simplefilter(action, getattr(builtins, category or "Warning"))  # type: ignore[arg-type]
        sys.warnoptions.append(arguments[1])
        del arguments[:2]
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    if arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path[0] = ""
        return Program(compile(arguments[1], "<string>", "exec"), module)
    if arguments[0] == "-m":
        return _module(arguments[1], arguments[2:], module)
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    module.__file__ = arguments[0]
    return Program(compile(Path(arguments[0]).read_bytes(), arguments[0], "exec"), module)


def _module(name: str, arguments: list[str], module: ModuleType) -> Program:
    sys.path[0] = os.getcwd()
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    assert spec is not None, f"there is no module {name}"
    assert spec.origin is not None
    code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
    sys.argv = [spec.origin, *arguments]
    module.__file__, module.__spec__, module.__loader__ = spec.origin, spec, spec.loader
    module.__package__ = spec.parent
    return Program(code, module)


def main() -> Program | None:
    """Import what is wanted, and fork."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return serve(channel)


if __name__ == "__main__" and (program := main()) is not None:
    exec(program.code, program.module.__dict__)
