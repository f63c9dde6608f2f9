"""The container file and the unit of systemd in docs/deploy, as far as they can be tried here."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from gradgate.server.cli.serve import serve
from gradgate.server.web.service import STOPS_WITHIN
from tests.support.serving import ServerProcess

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
UNIT = DEPLOY / "gradgate.service"
PROGRAM = "/opt/gradgate/bin/gradgate"


def instructions() -> list[tuple[str, str]]:
    """What the container file says, in order."""
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    said = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(word, rest) for word, _, rest in said]


def last(word: str) -> str:
    """What the last instruction of a kind says, in the image that is shipped."""
    return [rest for name, rest in instructions() if name == word][-1]


def options(command: list[str]) -> dict[str, object]:
    """What `gradgate serve` takes a command for; raises `click.UsageError` where it does not."""
    assert command[:2] == [PROGRAM, "serve"]
    return serve.make_context("serve", command[2:]).params


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return parser["Service"]


def test_the_unit_starts_a_server_and_lets_it_end() -> None:
    """Its options are those that there are; its folder is the one that systemd makes."""
    service = unit()
    given = options(shlex.split(service["ExecStart"]))
    assert given["data"] == Path("/var/lib") / service["StateDirectory"]
    assert given["token_file"] is not None
    assert int(service["TimeoutStopSec"]) > STOPS_WITHIN
    assert service["User"] not in ("", "root")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With a program that is there in the place of the one that is installed."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace(PROGRAM, sys.executable), "utf-8")
    told = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_container_runs_a_server_as_nobody_of_importance() -> None:
    """With options that there are, a token from a secret, and all that is kept in its volume."""
    given = options(json.loads(last("ENTRYPOINT")))
    assert given["host"] == "0.0.0.0"
    assert (str(given["data"]), str(given["port"])) == (last("VOLUME"), last("EXPOSE"))
    assert last("USER") == "gradgate"
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    environment = dict(each.split("=") for each in last("ENV").split())
    assert environment["GRADGATE_TOKEN_FILE"].startswith("/run/secrets/")
    assert environment.keys() == {"GRADGATE_TOKEN_FILE", "GRADGATE_LOG_FORMAT"}


def test_the_health_of_a_container_is_that_of_its_server(server: ServerProcess) -> None:
    """The command succeeds while one answers, and fails when none does."""
    _, _, code = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    asking = [sys.executable, "-c", code.replace("8765", str(server.port))]
    assert subprocess.run(asking, capture_output=True).returncode == 0
    server.stop()
    assert subprocess.run(asking, capture_output=True).returncode != 0


def test_the_container_has_what_a_server_needs() -> None:
    """All that the package asks for, but for torch, which jobs import alone."""
    command = next(rest for name, rest in instructions() if name == "RUN" and "requires(" in rest)
    found = re.search(r'-c "([^"]+)"', command)
    assert found is not None
    told = subprocess.run(
        [sys.executable, "-c", found[1]], capture_output=True, text=True, check=True
    )
    wanted = {each for each in requires("gradgate") or () if "extra ==" not in each}
    left = wanted - set(told.stdout.splitlines())
    assert [re.match(r"[\w-]+", each)[0] for each in left] == ["torch"]  # type: ignore[index]
