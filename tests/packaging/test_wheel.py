"""What is in the wheel, and where it is imported from once installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PARTS = ("docs/causes", "probe", "pytest_plugin", "server", "static", "templates")


def foreign() -> dict[str, str]:
    """Return an environment that does not point at the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_every_package_is_named() -> None:
    """A folder of modules that pyproject.toml does not name would be left out of the wheel."""
    text = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    named = set(re.findall(r'^    "(gradgate\.[\w.]+)",$', text, re.MULTILINE))
    folders = {path.parent for part in PARTS for path in (CHECKOUT / part).rglob("*.py")}

    packages = {"gradgate." + ".".join(each.relative_to(CHECKOUT).parts) for each in folders}
    assert packages - named == set()


@pytest.mark.exhaustive(0)
def test_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    """Modules, templates, static files, data, licences and type markers are all there."""
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    expected = {
        f"gradgate/{path.relative_to(CHECKOUT).as_posix()}"
        for part in PARTS
        for path in (CHECKOUT / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert shipped == expected
    assert {
        "gradgate/probe/py.typed",
        "gradgate/server/py.typed",
        "gradgate/probe/demo/data/digits.npz",
        "gradgate/probe/demo/data/LICENSE.txt",
    } <= shipped


@pytest.mark.exhaustive(0)
def test_import_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """In the new environment nothing of gradgate is read from the checkout."""
    code = (
        "import json, sys, gradgate.server, gradgate.probe.demo.digits as digits;"
        "print(json.dumps([sys.prefix, sys.path, gradgate.server.__file__, digits.__file__,"
        " len(digits.load().labels)]))"
    )
    answer = subprocess.run(
        [installed / "python", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=foreign(),
        check=True,
    )

    prefix, path, server, digits, count = json.loads(answer.stdout)
    assert str(CHECKOUT) not in path
    assert Path(prefix) in Path(server).parents
    assert Path(prefix) in Path(digits).parents
    assert count == 1797


@pytest.mark.exhaustive(0)
def test_wheel_serves_and_trains(installed: Path, tmp_path: Path) -> None:
    """In a foreign folder it serves pages, files and plotly.js, and watches and steers a job."""
    smoke = [installed / "python", Path(__file__).with_name("smoke.py"), tmp_path]
    answer = subprocess.run(smoke, capture_output=True, text=True, cwd=tmp_path, env=foreign())
    assert answer.returncode == 0, answer.stderr
