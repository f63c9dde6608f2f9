"""The lines of the log: one a record, whatever is logged."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gradgate.server.cli.log_format import JsonLines, TextLines
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

HOSTILE = "a\nERROR: The store is gone\r\x1b[2J\x85\u2028\u202e\ud800"


def record(message: str, *names: object, **more: Any) -> logging.LogRecord:
    """A warning, with fields of its own."""
    made = logging.makeLogRecord({"name": "gradgate.server", "levelno": 30, "levelname": "WARNING"})
    made.msg, made.args = message, names
    made.__dict__.update(more)
    return made


def failed(message: str) -> dict[str, Any]:
    """What is logged with an exception."""
    try:
        raise ValueError(message)
    except ValueError:
        return {"exc_info": sys.exc_info()}


def test_no_name_begins_a_line_of_text() -> None:
    """Nothing that is not printable is in it; the lines of a traceback are indented."""
    lines = TextLines().format(record("The run %s is gone", HOSTILE, **failed(HOSTILE))).split("\n")
    assert lines[0] == (
        "WARNING: The run a\\nERROR: The store is gone\\r\\x1b[2J\\x85\\u2028\\u202e\\ud800 is gone"
    )
    assert lines[1] == "  Traceback (most recent call last):"
    assert any("ERROR: The store is gone" in line for line in lines[1:])
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)


def test_json_is_one_object_a_line() -> None:
    """With the time in UTC, the traceback, and what else the record was given."""
    given = {
        "run": HOSTILE,
        "sockets": 3,
        "ratio": float("nan"),
        "level": "mine",
        "path": Path("x"),
    }
    line = JsonLines().format(record("The run %s", HOSTILE, **given, **failed(HOSTILE)))
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line, parse_constant=pytest.fail)
    assert datetime.fromisoformat(told.pop("time")).utcoffset() == timedelta(0)
    exception = told.pop("exception")
    assert exception.startswith("Traceback")
    assert exception.endswith(f"ValueError: {HOSTILE}")
    assert told == {
        "level": "warning",
        "logger": "gradgate.server",
        "message": f"The run {HOSTILE}",
        "run": HOSTILE,
        "sockets": 3,
        "ratio": "nan",
        "path": "x",
    }


@pytest.fixture
def chatty(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that logs all that it does as JSON."""
    options = ("--log-format", "json", "--log-level", "debug")
    with ServerProcess(tmp_path / "data", *options) as server:
        yield server


def test_a_server_logs_json(chatty: ServerProcess, run: str) -> None:
    """Uvicorn's lines too, each with its level; a job that names itself badly forges none."""
    name = 'job\n{"level": "error"}'
    secret = {"Authorization": "Bearer 0123456789-abcdefghij"}
    with FakeProbe(chatty, hello(run, name=name), additional_headers=secret) as probe:
        probe.heartbeat()
    with FakeProbe(chatty, {"type": "nonsense"}):
        wait_for(lambda: "A socket was refused" in chatty.output)
    chatty.stop()
    assert "0123456789" not in chatty.output
    lines = chatty.output.splitlines()
    lines.remove(f"Gradgate dashboard: {chatty.url}")
    told = [json.loads(line) for line in lines]
    (connected,) = [
        each for each in told if each.get("run_name") == name and "is conn" in each["message"]
    ]
    assert (connected["level"], connected["run"], connected["host"]) == ("info", run, "node7")
    (refused,) = [each for each in told if each.get("reason")]
    assert (refused["level"], refused["reason"], refused["sockets"]) == ("warning", "protocol", 1)
    uvicorn = [each for each in told if each["logger"] == "uvicorn.error"]
    assert ("info", "Shutting down") in [(each["level"], each["message"]) for each in uvicorn]
