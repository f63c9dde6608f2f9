"""Reports of checks, as the probe's process writes them."""

from __future__ import annotations

from typing import Any

from gradgate.server.protocol.check import CheckReport

FOLDER = "/home/ada/job"


def finding(name: str | None = "style.weight", **more: Any) -> dict[str, Any]:
    """Make a finding of a line of a script."""
    return {
        "level": "error",
        "cause": "detached",
        "name": name,
        "since_step": 1,
        "detail": f"`{name}` reaches the loss only through `detach()` at train.py:12.",
        "advice": "Remove it.",
        "file": f"{FOLDER}/models/train.py",
        "line": 12,
        "source": {
            "file": "models/train.py",
            "line": 12,
            "first": 11,
            "lines": ["    h = x", "    style = self.style(h).detach()  # <b>", ""],
        },
        **more,
    }


def parameter(name: str, **more: Any) -> dict[str, Any]:
    """Make a parameter that trains."""
    known = {"numbers": 10, "trainable": True, "state": "present", "in_optimizer": True}
    return {"name": name, **known, "moved": True, "at_times": False, **more}


def report(*findings: dict[str, Any], **more: Any) -> CheckReport:
    """Make the report of a script that was stopped after its steps."""
    made = {
        "script": "models/train.py",
        "file": f"{FOLDER}/models/train.py",
        "arguments": ["--epochs", "3"],
        "folder": FOLDER,
        "started": 1_700_000_000.0,
        "seconds": 2.5,
        "torch": "2.13.0",
        "outcome": "stopped",
        "script_exit_code": 0,
        "error": None,
        "problem": None,
        "misused": False,
        "lack": None,
        "steps_wanted": 20,
        "steps": 20,
        "never_steps": False,
        "limit": 600.0,
        "timed_out": False,
        "models": [{"name": "", "kind": "Net"}],
        "optimizers": ["AdamW"],
        "processes": [],
        "parameters": [
            parameter("encoder.weight", numbers=70),
            parameter("style.weight", state="absent", moved=False),
            parameter("norm.weight", trainable=False, state="frozen", moved=False),
            parameter("head.weight"),
        ],
        "findings": list(findings),
        **more,
    }
    return CheckReport.model_validate(made)
