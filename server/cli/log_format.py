"""The lines of the server's log, as text or as JSON: a line each, whatever is logged."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import Literal, get_args

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

# What every record has, and what uvicorn adds for terminals: no field of its own.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}


def begin_log(form: LogFormat, level: LogLevel) -> None:
    """Have all of this process logged to stderr, uvicorn's lines and Python's warnings too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=level.upper())
    logging.captureWarnings(True)


class TextLines(logging.Formatter):
    """`LEVEL: message`; a traceback follows in lines that are indented.

    What is said of jobs and callers may be theirs: what is not printable is escaped, so that no
    name begins a line, or moves the cursor of a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        head = f"{record.levelname}: {_printable(record.getMessage())}"
        told = _exception(record).splitlines()
        return "\n".join([head, *(f"  {_printable(line)}" for line in told)])


class JsonLines(logging.Formatter):
    """One object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, `exception`.

    What else a record was given (`extra`) are fields beside them.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, in ASCII."""
        own = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if told := _exception(record):
            own["exception"] = told
        given = {
            name: _plain(value) for name, value in vars(record).items() if name not in _STANDARD
        }
        return json.dumps(own | {name: given[name] for name in given if name not in own})


def _exception(record: logging.LogRecord) -> str:
    """Return the traceback of a record, and where it was logged if that was asked for; or ""."""
    formatter = logging.Formatter()
    told = formatter.formatException(record.exc_info) if record.exc_info else record.exc_text or ""
    return "\n".join(filter(None, [told, record.stack_info]))


def _printable(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _plain(value: object) -> object:
    """Return what JSON has, and anything else as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
