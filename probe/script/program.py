"""A training script, or a module, run as Python itself would run it."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import traceback
from dataclasses import dataclass
from types import TracebackType

_LAUNCHERS = (os.path.dirname(__file__) + os.sep, "<frozen runpy>", runpy.__file__)
"""Files whose frames stand below those of the script."""


class NoProgramError(Exception):
    """There is no such script or module; the message says what to give."""


@dataclass(frozen=True)
class Program:
    """What is run as ``__main__``: a file, a folder or archive with one, or a module."""

    name: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False
    """``name`` is a module's, as ``python -m`` has it."""

    def run(self) -> None:
        """Run it in this process. Whatever it raises goes on, :class:`SystemExit` too."""
        file = self.prepare()
        if self.is_module:
            runpy.run_module(self.name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(file, run_name="__main__")

    def prepare(self) -> str:
        """Set ``sys.argv`` and ``sys.path[0]`` as Python would, and return the file that is run.

        Raises :class:`NoProgramError`.
        """
        folder = os.getcwd() if self.is_module else os.path.dirname(os.path.realpath(self.name))
        # As the user may have Python do: https://docs.python.org/3/using/cmdline.html#cmdoption-P
        if not os.environ.get("PYTHONSAFEPATH") and sys.path[:1] != [folder]:
            sys.path.insert(0, folder)
        file = self._file()
        sys.argv = [file if self.is_module else self.name, *self.arguments]
        return file

    def _file(self) -> str:
        if self.is_module:
            return self._module_file()
        if not os.path.exists(self.name):
            raise NoProgramError(
                f"There is no script {self.name!r} here: give its path, or `-m` and the name "
                "of a module."
            )
        return os.path.abspath(self.name)

    def _module_file(self) -> str:
        try:
            spec = importlib.util.find_spec(self.name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{self.name}.__main__")
        except ModuleNotFoundError as error:
            raise NoProgramError(
                f"There is no module {self.name!r}: {error}. It is looked for as `python -m` does."
            ) from error
        if spec is None or spec.origin is None:
            raise NoProgramError(f"There is no module {self.name!r} that `python -m` could run.")
        return spec.origin


def show(error: BaseException) -> None:
    """Print an uncaught error of the script's as Python would, without frames of ours."""
    own = strip(error.__traceback__)
    told = (type(error), error.with_traceback(own), own)
    sys.last_type, sys.last_value, sys.last_traceback = told
    try:
        sys.excepthook(*told)
    except UnicodeEncodeError:  # of torch.distributed's hook, where a message is no text
        sys.__excepthook__(*told)


def strip(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is the script's."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code is not Program.run.__code__:
        rest = rest.tb_next
    if rest is None:
        return trace
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(_LAUNCHERS):
        rest = rest.tb_next
    return rest  # None: it is none of a frame's, but in what the script says


def sentence(error: BaseException) -> str:
    """Return what was raised, in one line, with the place."""
    what = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{what} ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(strip(error.__traceback__))
    return f"{what} ({frames[-1].filename}:{frames[-1].lineno})" if frames else what
