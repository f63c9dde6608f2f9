"""Which bugs of gradients, updates and wiring each tool finds, side by side in one run.

A tool has found a bug when it warns of something that it does not warn of in the same job without
the bug. A line is right when it is the one that is marked in the job. What a tool says of the jobs
without a bug is counted as a false alarm.

Wants benchmarks/galleries/requirements.txt in an environment of its own.
Usage: python benchmarks/gallery.py [--bug NAME] [--tool NAME] [--say]
"""

from __future__ import annotations

import argparse
import functools
import logging
from pathlib import Path

import torch
from galleries import bugs as bugs_module
from galleries.bugs import BUGS
from galleries.healthy import HEALTHY
from galleries.jobs import Answer
from galleries.ranks import RANK_BUGS, ask_ranks
from galleries.tools import TOOLS, ask

OURS = ("gradgate, live", "gradgate, explain")


def main() -> None:
    """Ask every tool about every bug, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bug", help="only this one")
    options.add_argument("--tool", help="only this one")
    options.add_argument("--say", action="store_true", help="print what the tools said")
    given = options.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    tools = [tool for tool in TOOLS if given.tool in (None, tool)]
    print("| bug | " + " | ".join(tools) + " |\n|" + "---|" * (len(tools) + 1))
    totals = dict.fromkeys(tools, 0)
    alarms: dict[str, list[str]] = {tool: [] for tool in tools}
    found_by_us, lines, with_line = 0, 0, 0
    for bug in BUGS:
        if given.bug not in (None, bug.name):
            continue
        cells, ours = [], []
        for tool in tools:
            broken = ask(tool, functools.partial(bug.build, True))
            sound = ask(tool, functools.partial(bug.build, False))
            new = broken.findings - sound.findings
            alarms[tool] += [f"{bug.name}: {each}" for each in sorted(sound.findings)]
            at_line = bug.has_line and line_of(bug.name) in ends(broken)
            totals[tool] += bool(new)
            cells.append(cell(new, at_line=at_line))
            if tool in OURS:
                ours.append((bool(new), at_line))
            if given.say:
                say(tool, broken)
        found_by_us += any(found for found, _ in ours)
        lines += any(at_line for _, at_line in ours)
        with_line += bug.has_line
        print(f"| {bug.words} | " + " | ".join(cells) + " |", flush=True)
    for name, (words, _) in RANK_BUGS.items():
        if given.bug not in (None, name):
            continue
        broken_ones, sound_ones = ask_ranks(name, True), ask_ranks(name, False)
        cells = []
        for tool in tools:
            if tool not in broken_ones:
                cells.append("")
                continue
            new = broken_ones[tool].findings - sound_ones[tool].findings
            alarms[tool] += [f"{name}: {each}" for each in sorted(sound_ones[tool].findings)]
            totals[tool] += bool(new)
            found_by_us += bool(new) and tool in OURS
            cells.append(cell(new, at_line=False))
            if given.say:
                say(tool, broken_ones[tool])
        print(f"| {words} | " + " | ".join(cells) + " |", flush=True)
    for make in HEALTHY if given.bug is None else ():
        for tool in tools:
            said = ask(tool, make).findings
            alarms[tool] += [f"{make.__name__}: {each}" for each in sorted(said)]
    print("| found | " + " | ".join(str(totals[tool]) for tool in tools) + " |")
    print("| false alarms | " + " | ".join(str(len(alarms[tool])) for tool in tools) + " |")
    print(f"\ngradgate, live or explain: {found_by_us} found, {lines} of {with_line} lines right")
    for tool in tools:
        print(f"{tool}, alarms in sound jobs: " + ("; ".join(alarms[tool]) or "none"))


@functools.cache
def line_of(name: str) -> str:
    """Return the ``file.py:n`` of the line that is marked with a bug's name."""
    path = Path(bugs_module.__file__)
    lines = path.read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# <- {name}")]
    return f"{path.name}:{number}"


def ends(answer: Answer) -> set[str]:
    """Return the named lines without their folders."""
    return {where.rpartition("/")[2] for where in answer.places}


def cell(new: frozenset[str], *, at_line: bool) -> str:
    """Show what was found: its kinds, and whether the line is right."""
    return ", ".join(f"`{each[:40]}`" for each in sorted(new)) + (
        " with the line" if at_line else ""
    )


def say(tool: str, answer: Answer) -> None:
    """Print the sentences of a tool."""
    for kind, text in sorted(answer.texts.items()):
        print(f"  {tool}: {kind}: {text}")


if __name__ == "__main__":
    main()
