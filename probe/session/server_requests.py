"""Takes what the server asks for, in the link's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..base.guard import Guard
from ..base.retry import consistently
from ..base.wire_text import wire_text
from ..gates.dry_run import dry_run
from ..gates.registry import GateRegistry
from ..link.server_messages import Message
from ..link.uplink import Uplink
from ..measure.measurement import Measurement
from ..model.commands import Command, GateCommand, RefusedCommand, read_command
from ..steer.limits import Limits
from ..steer.preview import Preview
from ..steer.preview_requests import PreviewRequests
from ..steer.queue import CommandQueue
from ..steer.reports import fault_sentence


class ServerRequests:
    """Queues commands, answers questions at once or at a boundary, and says what is looked at."""

    def __init__(
        self,
        queue: CommandQueue,
        previews: PreviewRequests,
        gates: GateRegistry,
        limits: Limits,
        measurement: Measurement,
        uplink: Uplink,
        guard: Guard,
    ) -> None:
        self._queue = queue
        self._previews = previews
        self._gates = gates
        self._limits = limits
        self._measurement = measurement
        self._uplink = uplink
        self._guard = guard
        self._takers: Mapping[str, Callable[[Message], None]] = {
            "command": self._command,
            "preview": self._preview,
            "trial": self._trial,
            "focus": self._focus,
            "watched": self._watch,
        }
        """By the type of a message."""

    def receive(self, message: Message) -> None:
        """Take a message of the server."""
        self._takers[message["type"]](message)

    def _command(self, message: Message) -> None:
        self._queue.submit(read_command(message))

    def _preview(self, message: Message) -> None:
        speed = self._measurement.schedule.meter.steps_per_second(time.perf_counter())
        answer = partial(self._answer_preview, message["request"])
        self._previews.ask(read_command(message), answer, speed)

    def _answer_preview(self, request: int, preview: Preview | None, refused: str | None) -> None:
        self._uplink.answer(
            {
                "type": "preview",
                "request": request,
                "preview": None if preview is None else preview.as_message(),
                "refused": None if refused is None else wire_text(refused),
            }
        )

    def _focus(self, message: Message) -> None:
        parameters = [int(index) for index in message["parameters"]]
        self._measurement.focus.watch(parameters, float(message["seconds"]))

    def _watch(self, message: Message) -> None:
        self._limits.watch(int(number) for number in message["commands"])

    def _trial(self, message: Message) -> None:
        command = read_command({**message, "kind": GateCommand.kind})
        answered: dict[str, Any] = {}
        with self._guard.attempt() as attempt:
            answered = consistently(partial(self._try, command, message.get("history")))
        if attempt.error is not None:  # somebody waits for an answer, whatever it is
            reason = f"{fault_sentence(attempt)}."
            refused = RefusedCommand.from_message({**message, "reason": reason})
            answered = self._try(refused, None)
        self._uplink.answer({"type": "trial", "request": message["request"], **answered})

    def _try(self, command: Command, history: Mapping[str, Any] | None) -> dict[str, Any]:
        known = sorted(self._measurement.metrics.latest)
        return dry_run(
            command,
            history,
            check=self._gates.check,
            known=known,
            compiled=self._gates.is_compiled,
        )
