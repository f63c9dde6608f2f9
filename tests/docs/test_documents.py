"""What the documents say is what the code does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from gradgate.probe.conditions.functions import FUNCTIONS
from gradgate.probe.conditions.names import OWN_NAMES
from gradgate.probe.diagnosis.causes import WORDS
from gradgate.probe.gates.actions import ACTIONS
from gradgate.probe.gates.sites import SITE_KINDS
from gradgate.server.protocol.fields import UnaskedCause
from tests.support.forked import run_python
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
GUIDES = sorted(
    page.name
    for page in (ROOT / "docs").glob("*.md")
    if page.name != "architecture.md" and "```python" in page.read_text("utf-8")
)
SCHEMA = json.loads((ROOT / "docs" / "protocol.schema.json").read_text("utf-8"))


def test_the_readme_trains_and_steers(server: ServerProcess, tmp_path: Path) -> None:
    """The README's Python, run as it stands, trains, freezes, thaws and gates a real run."""
    script = tmp_path / "readme.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL)))
    job = subprocess.run(
        [sys.executable, "-W", "error", script],
        env={**os.environ, "GRADGATE_SERVER": server.url, "GRADGATE_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert job.returncode == 0, job.stderr
    (run,) = wait_until(
        lambda: server.get("/api/runs")["runs"], lambda runs: runs[0]["status"] == "finished"
    )
    assert (run["name"], run["step"]) == ("readme", 1000)
    commands = server.get(f"/api/runs/{run['id']}/commands")["commands"]
    assert [(row["kind"], row["by"]) for row in commands] == [
        ("ungate", "python"),
        ("gate", "python"),
        ("thaw", "python"),
        ("freeze", "python"),
    ]


def test_the_readmes_verdict_names_the_demos_line() -> None:
    """The line that the README says of the demo is the one with the `detach()`."""
    model = (ROOT / "probe" / "demo" / "model.py").read_text("utf-8").splitlines()
    (line,) = re.findall(r"`detach\(\)` at model\.py:(\d+)", README)
    assert ".detach()" in model[int(line) - 1]


@pytest.mark.exhaustive(3)
@pytest.mark.parametrize("document", GUIDES)
def test_the_snippets_of_a_document_run(tmp_path: Path, document: str) -> None:
    """Every Python snippet of a document runs as it stands, one after the other."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    script = tmp_path / "snippets.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))
    job = run_python("-W", "error", str(script), env={**os.environ, "GRADGATE_STRICT": "1"})
    assert job.returncode == 0, job.stderr


def test_every_word_of_a_gate_is_documented() -> None:
    """A site, an action, a function or a name of conditions that docs/gates.md lacks fails here."""
    text = (ROOT / "docs" / "gates.md").read_text("utf-8")
    for word in (*ACTIONS, *FUNCTIONS, *OWN_NAMES):
        assert f"`{word}`" in text, word
    for kind in SITE_KINDS:
        assert re.search(rf"`{kind}:[A-Z]+`", text), kind


def test_every_cause_is_documented() -> None:
    """A cause of an explanation or an alert that docs/explaining.md lacks fails here."""
    text = (ROOT / "docs" / "explaining.md").read_text("utf-8")
    words = [*WORDS, *get_args(UnaskedCause)]
    assert [cause for cause in words if f"| `{cause}` |" not in text] == []


@pytest.mark.parametrize("definition", sorted(SCHEMA["$defs"]))
def test_every_field_of_the_protocol_is_documented(definition: str) -> None:
    """A message or row whose field the protocol's document does not name fails here."""
    for field in SCHEMA["$defs"][definition].get("properties", {}):
        assert re.search(rf"\b{re.escape(field)}\b", PROTOCOL), f"{definition}.{field}"
