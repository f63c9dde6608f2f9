"""An sdist and a wheel built from the checkout, and an environment that knows nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
UNWANTED = ("__pycache__", "node_modules", "build", "dist", "artifacts", "*.egg-info")
HIDDEN = {".npmrc"}
"""The one hidden file of the checkout that is for others than its maintainers."""
LEFTOVERS = (
    ".venv/bin/python",
    "node_modules/typescript/package.json",
    "build/lib/gradgate/probe/old.py",
    "dist/gradgate-0.0.1.tar.gz",
    "tests/artifacts/page.png",
    "probe/__pycache__/run.cpython-310.pyc",
    "tests/__pycache__/conftest.cpython-310.pyc",
)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the checkout without what builds and tests left there."""
    folder = tmp_path_factory.mktemp("source") / "gradgate"
    by_name = shutil.ignore_patterns(*UNWANTED)

    def unwanted(path: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".")} - HIDDEN
        return hidden | by_name(path, names)

    shutil.copytree(CHECKOUT, folder, ignore=unwanted)
    return folder


@pytest.fixture(scope="session")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist, and the wheel from it, where other builds have left things behind."""
    folder = tmp_path_factory.mktemp("used") / "gradgate"
    shutil.copytree(source, folder)
    for name in LEFTOVERS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("left")

    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    """Return the sdist's path."""
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """Return the wheel's path."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment and return its folder of commands.

    The dependencies are those of this environment, through a `.pth` file: it adds the folder but,
    unlike the interpreter's own start, does not run the `.pth` files in it, so the editable
    install of the checkout stays out.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    commands = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = commands / "python"

    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    options = ["--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True, timeout=120)

    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    outer = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(purelib.stdout.strip(), "dependencies.pth").write_text("\n".join(sorted(outer)) + "\n")
    return commands
