"""Break lines on purpose and see whether the nearest test notices: ``make mutants``.

``python -m tests.mutants.replay [ROOM ...]``, where a room is a file of this folder without its
ending (``probe/freeze``), or the folder above several of them (``server``). Each mutant is one
line of code in another form, with the test file that is to fail on it. The checkout is changed
while a mutant is tried, and put back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LISTS = Path(__file__).parent
PATIENCE = 300
"""Seconds after which a test that hangs on a mutant has noticed it."""


@dataclass(frozen=True)
class Mutant:
    """A place in a file, what is to stand there instead, and the test that is to fail."""

    file: str
    old: str
    new: str
    test: str

    @property
    def places(self) -> int:
        """How often the old text is in the file: once, or the mutant is out of date."""
        return (CHECKOUT / self.file).read_text("utf-8").count(self.old)

    def is_killed(self) -> bool:
        """Return whether the nearest test fails on the broken file."""
        path = CHECKOUT / self.file
        text = path.read_text("utf-8")
        try:
            path.write_text(text.replace(self.old, self.new), "utf-8")
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
            run = subprocess.run(
                self._command(),
                cwd=CHECKOUT,
                env=environment,
                capture_output=True,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            return True
        finally:
            path.write_text(text, "utf-8")
        return run.returncode != 0

    def _command(self) -> list[str]:
        if self.test.endswith(".js"):
            return [str(Path(sys.executable).with_name("node")), "--test", self.test]
        options = ["-x", "-q", "-p", "no:cacheprovider", "--timeout=60"]
        return [sys.executable, "-m", "pytest", *options, self.test]


def rooms() -> dict[str, list[Mutant]]:
    """Read every list: by its room, ``probe/freeze`` say, the mutants in it."""
    return {
        path.relative_to(LISTS).with_suffix("").as_posix(): [
            Mutant(**fields) for fields in tomllib.loads(path.read_text("utf-8"))["mutant"]
        ]
        for path in sorted(LISTS.rglob("*.toml"))
    }


def chosen(wanted: list[str]) -> Iterator[tuple[str, list[Mutant]]]:
    """Yield the rooms that were asked for; all, if none was."""
    for room, mutants in rooms().items():
        if not wanted or any(room == name or room.startswith(f"{name}/") for name in wanted):
            yield room, mutants


def main() -> int:
    """Replay mutants and print a table; return 1 if one survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.replay")
    parser.add_argument("room", nargs="*", help="such as probe/freeze or server; all by default")
    survivors = 0
    print(f"{'room':<24}{'tried':>6}{'killed':>8}")
    for room, mutants in chosen(parser.parse_args().room):
        killed = 0
        for mutant in mutants:
            if mutant.is_killed():
                killed += 1
            else:
                print(f"  survived in {mutant.file}, {mutant.test} is silent: {mutant.old!r}")
        survivors += len(mutants) - killed
        print(f"{room:<24}{len(mutants):>6}{killed:>8}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
