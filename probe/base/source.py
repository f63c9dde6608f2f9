"""Places in source code: which line of whose code made a call."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from inspect import unwrap
from types import CodeType, FrameType
from typing import Any

import torch
from torch.autograd import Function

from .guard import hand_on
from .wire_text import LONGEST_FILE, wire_name

AROUND = 3
"""Lines of a snippet before and after the one that is meant."""
LONGEST_LINE = 200
DECORATORS = frozenset({"wrapper", "wrapped", "inner"})
"""What torch calls the functions that its decorators put around others."""
DEEPEST = 12
"""Frames that are kept of a call, from the innermost outwards."""


@dataclass(frozen=True)
class Place:
    """A line of source code."""

    file: str
    """As the interpreter knows it, mostly an absolute path."""
    line: int
    function: str

    @property
    def text(self) -> str:
        """``train.py:41``; the path is relative when the file is below the working directory."""
        return f"{shown(self.file)}:{self.line}"

    @property
    def in_library(self) -> bool:
        """Whether the file belongs to an installed package."""
        return "site-packages" in self.file or "dist-packages" in self.file


@dataclass(frozen=True)
class Snippet:
    """A line of source code with a few around it."""

    file: str
    line: int
    """The number of the line that is meant, from 1."""
    first: int
    """The number of the first of ``lines``."""
    lines: tuple[str, ...]


def shown(file: str) -> str:
    """A file's path as people write it; what ``compile`` was given for one may be any string."""
    told = wire_name(file, LONGEST_FILE)
    if not os.path.isabs(told):
        return told
    relative = os.path.relpath(told)
    return told if relative.startswith(os.pardir) else relative


def source_lines(file: str) -> list[str]:
    """Return the lines of a file, none where it cannot be read, or its name can be none."""
    with suppress(ValueError):  # a name with a NUL
        return linecache.getlines(file)
    return []


def defined_at(code: CodeType) -> Place:
    """The ``def`` line of a function, behind its decorators."""
    line = code.co_firstlineno  # of the first decorator, if there is one
    lines = source_lines(code.co_filename)
    while (text := lines[line - 1 : line]) and "def " not in text[0]:
        line += 1
    return Place(code.co_filename, line if text else code.co_firstlineno, code.co_name)


def snippet(place: Place) -> Snippet | None:
    """The source around a place; None where there is none, as in a shell."""
    first = max(1, place.line - AROUND)
    lines = source_lines(place.file)[first - 1 : place.line + AROUND]
    if len(lines) <= place.line - first:
        return None
    cut = tuple(line.rstrip("\n")[:LONGEST_LINE] for line in lines)
    return Snippet(shown(place.file), place.line, first, cut)


class Chain:
    """Who called whom, from the innermost line outwards, without torch, Gradgate and the library.

    Making one is cheap; what it says is read later, and of few.
    """

    __slots__ = ("entered", "frames", "through")

    def __init__(
        self,
        frames: tuple[tuple[CodeType, int], ...],
        through: frozenset[str],
        entered: str | None = None,
    ) -> None:
        self.frames = frames
        """The code and the line of each."""
        self.through = through
        """Marked functions that the calls went through, of those in :class:`Callers`."""
        self.entered = entered
        """The function of torch's Python that the innermost line called, such as
        ``clip_grad_norm_``; None where it called none, or what is watched itself."""

    @property
    def place(self) -> Place | None:
        """The innermost line."""
        return self.places[0] if self.frames else None

    @property
    def user(self) -> Place | None:
        """The innermost line of the user's own, where the innermost of all is a library's."""
        return next((place for place in self.places if not place.in_library), None)

    @property
    def script(self) -> Place | None:
        """The line of the script that led there; the innermost one where all are a library's."""
        return self.user or self.place

    def has(self, code: CodeType) -> bool:
        """Whether a function is in the chain."""
        return any(each is code for each, _ in self.frames)

    @property
    def places(self) -> list[Place]:
        """All that are kept."""
        return [Place(code.co_filename, line, code.co_name) for code, line in self.frames]


class Callers:
    """Tells whose code a call came from."""

    def __init__(self) -> None:
        self._torch = os.path.dirname(torch.__file__) + os.sep
        self._own = os.path.dirname(os.path.dirname(__file__)) + os.sep
        self._demo = os.path.join(self._own, "demo", "")
        paths = sysconfig.get_paths()
        self._library = tuple({paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep})
        self._kept: dict[CodeType, bool] = {}
        self._entrances: dict[CodeType, bool] = {}
        # Since torch 2.14 it is C, of which no frame is on the stack.
        self._applied_in_c = not isinstance(vars(Function).get("apply"), classmethod)
        self._function_names: dict[CodeType, str | None] = {}
        self._marks = {
            os.path.join(self._torch, "autograd", "function.py"): FUNCTION,
            os.path.join(self._torch, "utils", "checkpoint.py"): CHECKPOINT,
        }

    def chain(self, frame: FrameType | None = None) -> Chain:
        """The chain of calls that leads to ``frame``, by default to the caller's caller."""
        current = frame or sys._getframe(2)
        frames: list[tuple[CodeType, int]] = []
        through: set[str] = set()
        entered: str | None = None
        walked: FrameType | None = current
        while walked is not None and len(frames) < DEEPEST:
            code = walked.f_code
            if self._applied_in_c and self._function_name(code) is not None:
                through.add(FUNCTION)
                frames.clear()  # the inside of a custom function is not where it was called
            elif self._is_kept(code):
                frames.append((code, walked.f_lineno))
            elif not frames and self._is_entrance(code):
                entered = code.co_name
            elif (mark := self._marks.get(code.co_filename)) is not None:
                through.add(mark)
                if mark == FUNCTION and code.co_name == "apply":
                    frames.clear()
            walked = walked.f_back
        if entered is not None and _is_special(entered):
            entered = entered.strip("_")
        return Chain(tuple(frames), frozenset(through), entered)

    def function(self, frame: FrameType | None) -> str:
        """The name of the custom autograd function that is running."""
        while frame is not None:
            code = frame.f_code
            if self._marks.get(code.co_filename) == FUNCTION and code.co_name == "apply":
                return str(frame.f_locals["cls"].__name__)
            if self._applied_in_c and (name := self._function_name(code)) is not None:
                return name
            frame = frame.f_back
        return "Function"

    def own(self, frame: FrameType | None) -> bool:
        """Whether Gradgate itself makes a call: its innermost frame outside torch is its own.

        What it hands on (:func:`hand_on`) is the script's.
        """
        while frame is not None:
            code = frame.f_code
            if code is hand_on.__code__:
                return False
            if not code.co_filename.startswith(self._torch):
                return self._is_own(code.co_filename)
            frame = frame.f_back
        return False

    def is_own(self, code: CodeType) -> bool:
        """Whether a function is Gradgate's own."""
        return self._is_own(code.co_filename)

    def is_torch(self, code: CodeType) -> bool:
        """Whether a function is torch's own."""
        return code.co_filename.startswith(self._torch)

    def _function_name(self, code: CodeType) -> str | None:
        """Return the name of the custom function whose forward this is, or None."""
        if code.co_name != "forward":
            return None
        if code not in self._function_names:
            self._function_names[code] = next(
                (kind.__name__ for kind in _below(Function) if _forward_code(kind) is code), None
            )
        return self._function_names[code]

    def _is_entrance(self, code: CodeType) -> bool:
        """Return whether this is a function of torch's that scripts call, and no wrapper's inside.

        Most of decorators are in files that begin with an underscore.
        """
        if code not in self._entrances:
            inside = code.co_filename.removeprefix(self._torch).split(os.sep)
            public = "_tensor.py", "__init__.py"
            wraps = any(part.startswith("_") and part not in public for part in inside)
            hidden = code.co_name.startswith(("_", "<")) and not _is_special(code.co_name)
            wraps |= code.co_name in DECORATORS
            marked = code.co_filename in self._marks
            self._entrances[code] = self.is_torch(code) and not (wraps or hidden or marked)
        return self._entrances[code]

    def _is_kept(self, code: CodeType) -> bool:
        kept = self._kept.get(code)
        if kept is None:
            kept = self._kept[code] = self._judge(code.co_filename)
        return kept

    def _is_own(self, file: str) -> bool:
        # The demo is a training script like any other.
        return file.startswith(self._own) and not file.startswith(self._demo)

    def _judge(self, file: str) -> bool:
        if file.startswith((self._torch, "<frozen ")) or self._is_own(file):
            return False
        return "site-packages" in file or not file.startswith(self._library)


def _is_special(name: str) -> bool:
    """Return whether it is a name as that of ``__deepcopy__``."""
    return name.startswith("__") and name.endswith("__")


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield every class that inherits from one."""
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _forward_code(kind: type[Any]) -> CodeType | None:
    """Return the code of the forward that a class itself defines, without its decorators."""
    forward = vars(kind).get("forward")
    function = unwrap(forward.__func__) if isinstance(forward, staticmethod) else None
    return getattr(function, "__code__", None)


FUNCTION, CHECKPOINT = "autograd function", "checkpoint"
"""Marks of a :class:`Chain`."""
