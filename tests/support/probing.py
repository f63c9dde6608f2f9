"""A small probe written from docs/protocol.md alone."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .fronting import ReverseProxy
from .serving import ServerProcess

PRESENT, ZERO, NONFINITE, ABSENT, STALE, FROZEN, GATED = range(1, 8)
GRAD_NORM = 1
OTHER_STATISTICS = {"grad_max": 2, "update_ratio": 3, "weight_norm": 4}

AGING = ("age", "expires")
CHANGE = ("kind", "target", "mode", "hold_stats", "reset_state")

_PATIENCE = 20


def table_row(name: str, **changes: Any) -> dict[str, Any]:
    """A row of the parameter table."""
    return {
        "names": [name],
        "module": name.rpartition(".")[0],
        "shape": [4, 2],
        "numel": 8,
        "dtype": "float32",
        "device": "cpu",
        "in_optimizer": True,
        "requires_grad": True,
        **changes,
    }


def columns(*names: str, **changes: Any) -> dict[str, Any]:
    """The same rows of a table in columns, of one module; `changes` are of all of them."""
    row = table_row(names[0], **changes)
    kind = {name: value for name, value in row.items() if name not in ("names", "module")}
    return {
        "names": list(names),
        "tied": [],
        "modules": [row["module"]],
        "module": [0] * len(names),
        "kinds": [kind],
        "kind": [0] * len(names),
    }


def hello(
    run: str, names: Sequence[str] = ("a.weight", "a.bias"), **changes: Any
) -> dict[str, Any]:
    """A `hello` frame."""
    return {
        "type": "hello",
        "protocol": 1,
        "run": run,
        "name": "digits",
        "started": 1700000000.0,
        "host": "node7",
        "pid": 4711,
        "probe_version": "0.1.0",
        "torch_version": "2.13.0",
        "figures": "Gradients as the optimizer is about to apply them.",
        "parameters": [table_row(name) for name in names],
        "frozen": [],
        "step": 0,
        **changes,
    }


def preview(**changes: Any) -> dict[str, Any]:
    """What a freeze of `a.*` would touch."""
    return {
        "kind": "freeze",
        "target": "a.*",
        "mode": "grad",
        "hold_stats": False,
        "reset_state": False,
        "parameters": ["a.weight", "a.bias"],
        "count": 2,
        "already": 0,
        "numel": 16,
        "share": 0.25,
        "gradient_bytes": 64,
        "state_bytes": 128,
        "trainable_after": 4,
        "trainable_numel_after": 48,
        "not_in_optimizer": [],
        "tied": [],
        "running_stats": ["a.norm"],
        "cut_off": None,
        "recompiles": False,
        "warnings": ["The running statistics of a.norm go on."],
        **changes,
    }


def gate(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A gate as the job reports it."""
    return {
        "id": number,
        "site": "output:a",
        "when": "norm > 10",
        "action": "block",
        "factor": None,
        "max_norm": None,
        "hold": 0,
        "paused": False,
        "by": "browser",
        "command": 1,
        "since_step": 3,
        "limit": None,
        "closed": True,
        "steps": 40,
        "closed_steps": 8,
        "norm_in": 12.5,
        "norm_out": 0.0,
        "problem": None,
        "parameters": [0, 1],
        **changes,
    }


def trial(**changes: Any) -> dict[str, Any]:
    """What the job says of a condition that it tried."""
    return {
        "error": None,
        "names": ["step", "norm", "norm_avg", "closed", "loss"],
        "closed": [2, 4],
        "samples": 4,
        "missing": [],
        "notes": ["The recorded norms are those that the optimizer was given."],
        "first": None,
        "last": None,
        **changes,
    }


def explanation(
    parameter: int | None = 0, name: str = "a.weight", **changes: Any
) -> dict[str, Any]:
    """Why a parameter has no useful gradient, as the job tells it."""
    return {
        "parameter": parameter,
        "name": name,
        "cause": "detached",
        "where": "train.py:41",
        "detail": f"`{name}` reaches the loss only through `h.detach()` at train.py:41.",
        "advice": "Remove `h.detach()` when the gradient ought to flow; it may be meant.",
        "path": [
            {"label": "loss", "kind": "loss", "flow": "flows", "where": None},
            {"label": "`h.detach()`", "kind": "call", "flow": "stops", "where": "train.py:41"},
            {"label": name, "kind": "parameter", "flow": "none", "where": None},
        ],
        "source": {
            "file": "train.py",
            "line": 41,
            "first": 38,
            "lines": [
                "def forward(self, x):",
                "    h = self.a(x)",
                "    # look at it",
                "    h = h.detach()",
                "    return self.head(h)",
                "",
                "def loss(y):",
            ],
        },
        **changes,
    }


def alert(
    parameter: int | None = 0, name: str | None = "a.weight", **changes: Any
) -> dict[str, Any]:
    """A parameter that ought to train and does not; None for both: it is of the whole run."""
    return {
        "parameter": parameter,
        "name": name,
        "since_step": 12,
        "cause": "detached",
        "detail": f"`{name}` reaches the loss only through `h.detach()` at train.py:41.",
        "where": None,
        "level": "alert",
        "others": [],
        **changes,
    }


def distribution(**changes: Any) -> dict[str, Any]:
    """How the eight numbers of a gradient or weight are spread."""
    return {
        "numel": 8,
        "sample_of": None,
        "zeros": 2,
        "nan": 1,
        "posinf": 0,
        "neginf": 0,
        "first": -3,
        "negative": [0, 2],
        "positive": [1, 2],
        "rows": {"count": 4, "zero": 1, "norms": [0.0, 0.5, None, 0.25]},
        **changes,
    }


def pack_sample(
    seq: int,
    step: int,
    states: Sequence[int],
    values: Mapping[int, Sequence[float]],
    *,
    version: int = 1,
    skipped: bool = False,
    at: float | None = None,
) -> bytes:
    """The binary frame of one sample."""
    n, k = len(states), len(values)
    moment = time.time() if at is None else at
    head = struct.pack(
        "<2sBBBBHQQdII", b"GG", version, 1, int(skipped), k, 0, seq, step, moment, n, 0
    )
    codes = bytes(values).ljust(-(-k // 8) * 8, b"\0")
    packed_states = bytes(states).ljust(-(-n // 8) * 8, b"\0")
    rows = b"".join(struct.pack(f"<{n}f", *row) for row in values.values())
    return head + codes + packed_states + rows


def pack_bundle(*frames: Mapping[str, Any] | bytes | str, version: int = 1) -> bytes:
    """The binary message of several frames."""
    written = [_written(frame) for frame in frames]
    packed = [frame.encode() if isinstance(frame, str) else frame for frame in written]
    lengths = b"".join(len(frame).to_bytes(4, "little") for frame in packed)
    return (
        b"GG" + bytes([version, 2]) + len(packed).to_bytes(4, "little") + lengths + b"".join(packed)
    )


def _written(frame: Mapping[str, Any] | bytes | str) -> bytes | str:
    """A frame as it is sent; text and bytes are that already."""
    return frame if isinstance(frame, bytes | str) else json.dumps(frame)


class FakeProbe:
    """One connection of a probe; it says hello when it is entered."""

    def __init__(
        self,
        server: ServerProcess | ReverseProxy,
        greeting: Mapping[str, Any] | bytes | str | None,
        **options: Any,
    ) -> None:
        """Without a `greeting` the connection is made, and nothing said."""
        self._resources = ExitStack()
        self._socket = self._resources.enter_context(
            connect(
                server.ws_url + "/api/ingest",
                max_size=None,
                max_queue=None,
                compression=None,
                **options,
            )
        )
        self.acked = 0
        self.commands: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.said: str | None = None
        """Why the server ends the connection."""
        self.welcome: dict[str, Any] = {}
        if greeting is None:
            return
        # A server that refuses before it listens has said why, all the same.
        with suppress(ConnectionClosed):
            self.send(greeting)
        self.welcome = self.receive()

    def send(self, frame: Mapping[str, Any] | bytes | str, *, text: bool | None = None) -> None:
        """Send a frame; text and bytes go out as they are, as a text where `text` says so."""
        self._socket.send(_written(frame), text=text)

    def receive(self) -> dict[str, Any]:
        """The next frame of the server."""
        answer: dict[str, Any] = json.loads(self._socket.recv(_PATIENCE))
        if answer["type"] == "ack":
            self.acked = answer["seq"]
        elif answer["type"] == "command":
            # How old it was depends on the machine.
            self.commands.append({name: answer[name] for name in answer if name not in AGING})
        elif answer["type"] in ("preview", "trial"):
            self.questions.append(answer)
        elif answer["type"] == "error":
            self.said = answer["message"]
        return answer

    def sample(
        self, seq: int, norms: Sequence[float], states: Sequence[int] | None = None, **more: Any
    ) -> None:
        """Send a sample of gradient norms whose step is its number."""
        step = more.pop("step", seq)
        named = {code: more.pop(name) for name, code in OTHER_STATISTICS.items() if name in more}
        values = {GRAD_NORM: norms} | named
        self.send(pack_sample(seq, step, states or [PRESENT] * len(norms), values, **more))

    def report(self, seq: int, number: int | None, state: str, **more: Any) -> None:
        """Send a report on a command."""
        self.send(
            {
                "type": "report",
                "seq": seq,
                "id": number,
                "local": None,
                "state": state,
                "time": time.time(),
                "step": None,
                "parameters": [],
                "reason": None,
                "detail": None,
                **more,
            }
        )

    def answer(self, question: Mapping[str, Any], refused: str | None = None) -> dict[str, Any]:
        """Answer the server's question with a preview, which is returned, or a refusal."""
        found = preview(**{name: question[name] for name in CHANGE})
        self.send(
            {
                "type": "preview",
                "request": question["request"],
                "preview": None if refused else found,
                "refused": refused,
            }
        )
        return found

    def answer_trial(self, question: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """Answer the server's trial; what was answered is returned."""
        found = trial(**changes)
        self.send({"type": "trial", "request": question["request"], **found})
        return found

    def gates(self, seq: int, *gates: Mapping[str, Any]) -> None:
        """Tell of every gate that there is."""
        self.send({"type": "gates", "seq": seq, "gates": list(gates)})

    def explanations(
        self, seq: int, step: int, *explanations: Mapping[str, Any], **more: Any
    ) -> None:
        """Tell what a traced step showed."""
        self.send(
            {
                "type": "explanations",
                "seq": seq,
                "step": step,
                "seconds": 0.25,
                "ratio": 3.5,
                "command": None,
                "explanations": list(explanations),
                "total": len(explanations),
                **more,
            }
        )

    def alerts(self, seq: int, *alerts: Mapping[str, Any]) -> None:
        """Tell of every alert that there is."""
        self.send({"type": "alerts", "seq": seq, "alerts": list(alerts)})

    def distributions(self, step: int, *indexes: int) -> None:
        """Tell what was seen of parameters that have no weight that could be read."""
        seen = [
            {"parameter": index, "gradient": distribution(), "stale": True, "weight": None}
            for index in indexes
        ]
        self.send({"type": "distributions", "step": step, "time": 1.5, "parameters": seen})

    def heartbeat(self, step: int = 0, **more: Any) -> None:
        """Send a heartbeat."""
        self.send(
            {
                "type": "heartbeat",
                "time": time.time(),
                "step": step,
                "steps_per_second": 12.5,
                "cost": 0.004,
                "every": 1,
                "dropped": 0,
                "faults": 0,
                **more,
            }
        )

    def bye(self, step: int = 0, **more: Any) -> None:
        """Say that the job ends as it should, but for `failed=True`."""
        self.send({"type": "bye", "time": time.time(), "step": step, **more})

    def until_acked(self, seq: int) -> None:
        """Wait until the server stored everything up to `seq`."""
        while self.acked < seq:
            self.receive()

    def until_command(self, number: int) -> dict[str, Any]:
        """Wait for a command."""
        while True:
            for command in self.commands:
                if command["id"] == number:
                    return command
            self.receive()

    def until_question(self) -> dict[str, Any]:
        """Wait for the next question of the server."""
        while not self.questions:
            self.receive()
        return self.questions.pop(0)

    def until_closed(self) -> tuple[int, dict[str, Any] | None]:
        """Wait for the end: the close code, and the last frame that came before it."""
        last = self.welcome if self.welcome.get("type") == "error" else None
        try:
            while True:
                last = self.receive()
        except ConnectionClosed as closed:
            return (1006 if closed.rcvd is None else closed.rcvd.code), last

    def close(self) -> None:
        """Vanish without a `bye`."""
        self._resources.close()

    def __enter__(self) -> FakeProbe:
        """The probe itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        """Vanish."""
        self.close()
