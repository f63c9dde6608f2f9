"""What a test trains, and what is expected of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gradgate.probe import Run, expect
from gradgate.probe.script.check import Check
from gradgate.probe.script.watch import Watch
from gradgate.server.cli.texts.checks import group_lines
from gradgate.server.export.check.groups import grouped
from gradgate.server.protocol.check import CheckFinding


class Expectation:
    """Attaches by itself to what a test trains, and asks what has become of it."""

    def __init__(self, expected: Mapping[str, Any]) -> None:
        """``expected``: the arguments of ``gradgate.probe.expect``; raises as that does."""
        self._folder = os.getcwd()
        self._check = Check(None, expect(**expected))
        self._watch = Watch(self._check)

    @property
    def runs(self) -> list[Run]:
        """Return the runs of the test so far, those that it has made itself among them."""
        return [each.run for each in self._check.watched]

    @property
    def run(self) -> Run:
        """Return the one run of the test; raises LookupError where there are none or several."""
        runs = self.runs
        if len(runs) == 1:
            return runs[0]
        raise LookupError(
            f"the test has {len(runs)} runs, and no one run: a model and a torch.optim.Optimizer "
            "make one with their first step; `gradgate.runs` has all of them."
        )

    def failure(self) -> str:
        """Say what is not as it ought to be; "" where all is."""
        if self._watch.lack is not None:
            return f"Nothing that trains was found in the test: {self._watch.lack}."
        errors = [each for each in self._check.found() if each.level == "error"]
        told = [CheckFinding.model_validate_json(json.dumps(asdict(each))) for each in errors]
        groups = (group_lines(group, self._folder) for group in grouped(told))
        return "\n\n".join("\n".join(lines) for lines in groups)

    def stop(self) -> None:
        """Detach from everything. Idempotent."""
        self._watch.stop(failed=False)
