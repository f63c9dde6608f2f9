"""The probe and the server share a protocol and no code, and each has one direction of imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

ROOMS = {
    "probe": [
        "base",
        "torch_compat",
        "notebook",
        "conditions",
        "model",
        "measure",
        "spool",
        "link",
        "distributed",
        "freeze",
        "gates",
        "steer",
        "diagnosis",
        "live",
        "progress",
        "session",
        "script",
        "integrations",
    ],
    "server": [
        "protocol",
        "events",
        "store",
        "export",
        "notify",
        "live",
        "web",
        "cli",
    ],
}
"""The rooms of each side: each may import those before it, and the root may import all."""

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__") and ".integrations." not in module.name:
        importlib.import_module(module.name)
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("gradgate.server", {"torch", "gradgate.probe"}),
        (
            "gradgate.probe",
            {
                *("gradgate.server", "fastapi", "uvicorn", "pydantic", "sqlalchemy"),
                *("accelerate", "fastai", "ignite", "keras", "lightning", "transformers"),
            },
        ),
    ],
)
def test_package_stays_on_its_own_side(package: str, forbidden: set[str]) -> None:
    """Importing every module of one side loads nothing of the other."""
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package], capture_output=True, text=True, timeout=120
    )

    assert answer.returncode == 0, answer.stderr
    assert not forbidden & set(answer.stdout.split())


def modules(side: str) -> dict[str, Path]:
    """Find every module of a side by its dotted name, ``probe.freeze.anchor`` say."""
    found = {}
    for path in sorted((CHECKOUT / side).rglob("*.py")):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of its own side that a module imports, wherever in it that is written."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [(alias.name.removeprefix("gradgate."), "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = (node.module or "").removeprefix("gradgate.")
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*parents, *source.split(".")] if source else parents)
            wanted = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, attribute in wanted:
            inner = f"{source}.{attribute}"
            if inner in known:
                yield inner
            elif source in known:
                yield source


def room(name: str) -> str:
    """Return the room of a module, "" for one at the root of its side."""
    parts = name.split(".")
    inside = CHECKOUT.joinpath(*parts[:2]).is_dir() if len(parts) > 1 else False
    return parts[1] if inside else ""


@pytest.mark.parametrize("side", ROOMS)
def test_every_folder_is_a_room(side: str) -> None:
    """A folder that is in no list would be held by no rule; the demo is a script of its own."""
    folders = {room(name) for name in modules(side)} - {""}
    assert folders - {"demo"} == set(ROOMS[side])


@pytest.mark.parametrize("side", ROOMS)
def test_imports_run_one_way(side: str) -> None:
    """A room imports itself and those before it in the list, and nobody imports the root."""
    order = {name: place for place, name in enumerate(ROOMS[side])}
    known = modules(side)
    wrong = []
    for name, path in known.items():
        for wanted in imports(name, path, known):
            here, there = room(name), room(wanted)
            if here in order and order.get(there, len(order)) > order[here]:
                wrong.append(f"{name} imports {wanted}")
    assert not wrong


@pytest.mark.parametrize("side", ROOMS)
def test_no_modules_import_each_other(side: str) -> None:
    """The modules of a side can be put in one order, so that each needs only earlier ones."""
    known = modules(side)
    needs = {name: set(imports(name, path, known)) - {name} for name, path in known.items()}
    assert len(tuple(TopologicalSorter(needs).static_order())) >= len(known)
