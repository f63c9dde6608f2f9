"""What is in the wheel, and where it is imported from once installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import httpx

CHECKOUT = Path(__file__).parents[2]
PARTS = ("probe", "server", "static", "templates")


def foreign() -> dict[str, str]:
    """Return an environment that does not point at the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


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


def test_wheel_serves_its_own_pages(installed: Path, tmp_path: Path) -> None:
    """Started in a foreign folder, the installed command serves pages, files and plotly.js."""
    command = [str(installed / "gradgate"), "serve", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=foreign()
    ) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            assert line.startswith("Gradgate dashboard: "), line
            with httpx.Client(base_url=line.split()[-1], trust_env=False, timeout=30) as client:
                assert client.get("/healthz").raise_for_status().json()["status"] == "ok"
                page = client.get("/").raise_for_status()
                assert "<title>" in page.text
                linked = re.findall(r'(?:src|href)="(/(?:static|vendor)/[^"]+)"', page.text)
                assert linked
                for path in [*linked, "/vendor/plotly.min.js", *static_files()]:
                    assert client.get(path).raise_for_status().content
        finally:
            server.terminate()
    assert server.returncode == 0


def static_files() -> list[str]:
    """The addresses of all static files of the checkout."""
    folder = CHECKOUT / "static"
    return [
        f"/static/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".keep"
    ]
