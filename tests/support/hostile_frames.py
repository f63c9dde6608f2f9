"""Frames as nobody should send them: valid ones of every kind, and what can be made of them."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from .probing import (
    ABSENT,
    FROZEN,
    PRESENT,
    alert,
    columns,
    distribution,
    explanation,
    gate,
    hello,
    pack_bundle,
    pack_sample,
    preview,
    trial,
)

NAMES = ("a.weight", "a.bias")
AT = 1700000000.0
SEQ = 7_301_515_500_000_001
"""The number of a frame until it is sent; no other number in it is the same."""


@dataclass(frozen=True)
class Mutant:
    """A frame of a kind, or nearly; `text`: it is sent as a text, whatever bytes it has."""

    kind: str
    data: bytes
    text: bool

    def numbered(self, seq: int) -> Mutant:
        """The same with another number in place of `SEQ`, and the next in place of the next."""
        data = self.data
        for known, other in ((SEQ, seq), (SEQ + 1, seq + 1)):
            data = data.replace(str(known).encode(), str(other).encode())
            data = data.replace(struct.pack("<Q", known), struct.pack("<Q", other))
        # A bundle says how long its parts are; texts of another length were no bundle any more.
        return (
            self
            if self.kind == "bundle" and len(data) != len(self.data)
            else replace(self, data=data)
        )

    @property
    def frame(self) -> str | bytes | None:
        """The frame as a server reads it; None for a text that is none."""
        if not self.text:
            return self.data
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None


def of_probe(seq: int) -> dict[str, dict[str, Any]]:
    """A valid frame in JSON of every kind that a probe sends behind `hello`."""
    frozen = {"command": None, "by": "python", "mode": "grad", "since_step": 1, "parameters": [0]}
    report = {
        "kind": "freeze",
        "target": "a.*",
        "id": None,
        "local": 1,
        "state": "applied",
        "time": AT,
        "step": 2,
        "parameters": [0, 1],
        "reason": None,
        "detail": "Two parameters.",
    }
    group = {"optimizer": "AdamW", "number": 0, "group": 0, "parameters": [[0, 1]]}
    seen = {"parameter": 0, "gradient": distribution(), "stale": False, "weight": distribution()}
    sequenced: dict[str, dict[str, Any]] = {
        "parameters": {"columns": columns(*NAMES)},
        "frozen": {"frozen": [frozen], "trainable": 1},
        "gates": {"gates": [gate()]},
        "explanations": {
            "step": 3,
            "seconds": 0.25,
            "ratio": 3.5,
            "command": None,
            "explanations": [explanation()],
            "total": 1,
        },
        "alerts": {"alerts": [alert()]},
        "optimizers": {"step": 3, "groups": [{**group, "options": {"lr": 0.1, "fused": False}}]},
        "metrics": {"step": 3, "time": AT, "values": {"loss": 0.5, "val/loss": None}},
        "totals": {"time": AT, "steps": [1, 2], "norms": [1.5, None], "flags": [0, 1]},
        "report": report,
    }
    others: dict[str, dict[str, Any]] = {
        "heartbeat": {"time": AT, "step": 3, "steps_per_second": 2.5, "cost": 0.01, "every": 1},
        "preview": {"request": 1, "preview": preview(), "refused": None},
        "trial": {"request": 1, **trial()},
        "distributions": {"step": 3, "time": AT, "parameters": [seen]},
        "bye": {"time": AT, "step": 3, "failed": False},
    }
    return {kind: {"type": kind, "seq": seq, **fields} for kind, fields in sequenced.items()} | {
        kind: {"type": kind, **fields} for kind, fields in others.items()
    }


def greetings(run: str) -> dict[str, dict[str, Any]]:
    """A valid `hello` in each of its forms."""
    rows = hello(run, NAMES)
    told = {name: value for name, value in rows.items() if name != "parameters"}
    more = {"group": "search", "ranks": 2, "focus": 4, "expect": ["a.*"], "protocol": 2}
    return {
        "hello": {**rows, "frozen": [], **more, "restraints": {"frozen": ["b"], "share": [0, 1]}},
        "hello in columns": {**told, "columns": columns(*NAMES), "digest": "0" * 16},
    }


WATCH = {
    "type": "watch",
    "topics": ["run", "samples"],
    "statistics": ["grad_norm"],
    "interval": 0.5,
    "focus": [0],
    "holds": [1],
}
"""A valid message of a page."""


def sample(seq: int) -> bytes:
    """A valid sample."""
    return pack_sample(seq, 3, [PRESENT, FROZEN], {1: [0.5, 0.25], 3: [0.1, 0.2]}, at=AT)


def bundle(seq: int) -> bytes:
    """A valid bundle of a sample and a text."""
    return pack_bundle(sample(seq), of_probe(seq + 1)["metrics"])


# What may stand anywhere in JSON instead of what ought to, as it is written.
TOKENS = (
    *("null", "true", "false", "0", "-1", "-0", "1.5", "NaN", "Infinity", "-Infinity", "1e999"),
    *("9007199254740992", "9007199254740993", "-9007199254740992", "9223372036854775808"),
    *("1" + "0" * 400, "1" * 5000, "1e308", "5e-324", "100000", "1e2", '"NaN"', '"1"'),
    *('""', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\ude00"', '"\x7f"', '"\u202e"'),
    *('"' + "x" * 513 + '"', '"' + "x" * 9000 + '"', '"' + "\U0001f469\u200d" * 200 + '"'),
    *('"<script>alert(1)</script>"', '"__proto__"', '"constructor"', '"../../etc/passwd"'),
    *("\"=cmd|' /C calc'!A0\"", '"CON"', '"a\\nERROR: forged"', '"a.weight"', '"\ufeff"'),
    *("[]", "{}", "[[]]", "[{}]", '{"a": []}', "[0, 0]", "[1, 0]", "[99999]", "[100000]"),
    *("[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, "[" * 20_000, '{"":' * 5_000),
    *("[" + "0," * 20_000 + "0]", "[" + "null," * 2000 + "null]"),
)
KEYS = (
    *('"seq"', '"type"', '"step"', '"parameters"', '"__proto__"', '"\\ud800"', '""', '"\\u0000"'),
    *('"values"', '"time"', '"' + "k" * 1000 + '"'),
)
FIELDS = (
    *(b"\xff" * size for size in (1, 2, 4, 8)),
    *(bytes(size) for size in (1, 2, 4, 8)),
    *(b"\x01", b"\x02", b"\x03", b"\x00\x00\x00\x80", b"\xa0\x86\x01\x00"),
    *(struct.pack("<d", value) for value in (math.nan, math.inf, -math.inf, -1.0, 1e308)),
)
"""What may stand in a header of bytes."""
Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to each part of a message."""
    yield path
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from places(part, (*path, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*path, number))


def written(value: Any, changes: Mapping[Path, str], path: Path = ()) -> str:
    """A message in JSON, with other texts in places of its own."""
    if path in changes:
        return changes[path]
    if isinstance(value, Mapping):
        parts = (
            f"{json.dumps(name)}: {written(part, changes, (*path, name))}"
            for name, part in value.items()
        )
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(p, changes, (*path, n)) for n, p in enumerate(value)) + "]"
    return json.dumps(value)


@st.composite
def changed_json(draw: st.DrawFn, kind: str, message: dict[str, Any]) -> Mutant:
    """A message with a few of its parts exchanged, left out, told twice, or more of them."""
    message = deepcopy(message)
    changes: dict[Path, str] = {}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(message))))
        change = draw(st.sampled_from(("exchange", "exchange", "exchange", "drop", "twice", "add")))
        holder: Any = message
        for part in path[:-1]:
            holder = holder[part]
        if change == "exchange" or not path:
            changes[path] = draw(st.sampled_from(TOKENS))
        elif change == "drop":
            changes.clear()  # places behind this one are others now
            del holder[path[-1]]
        elif change == "twice" and isinstance(holder, list):
            holder.append(deepcopy(holder[int(path[-1])]))
        else:
            twice = json.dumps(path[-1]) if change == "twice" else draw(st.sampled_from(KEYS))
            text = written(holder[path[-1]], {})
            changes[path] = f"{text}, {twice}: {draw(st.sampled_from(TOKENS))}"
    return Mutant(kind, written(message, changes).encode(), True)


@st.composite
def changed_bytes(draw: st.DrawFn, kind: str, whole: bytes, text: bool) -> Mutant:
    """A frame that is cut, is longer, or has other bytes in a few places."""
    data = bytearray(whole)
    match draw(st.sampled_from(("cut", "longer", "other", "other", "fields", "twice"))):
        case "cut":
            del data[draw(st.integers(0, len(data) - 1)) :]
        case "longer":
            data += draw(st.binary(min_size=1, max_size=64))
        case "twice":
            data += bytes(data)
        case "fields" if not text:
            at = draw(st.integers(0, max(0, min(44, len(data)) - 8)))
            field = draw(st.sampled_from(FIELDS))
            data[at : at + len(field)] = field
        case _:
            for _ in range(draw(st.integers(1, 4))):
                at = draw(st.integers(0, len(data) - 1))
                data[at] = draw(st.integers(0, 255))
    return Mutant(kind, bytes(data), text)


def mutants() -> st.SearchStrategy[Mutant]:
    """Mutants of what a probe sends behind `hello`, of the number `SEQ`."""
    told = of_probe(SEQ)
    each: list[st.SearchStrategy[Mutant]] = []
    for kind, message in told.items():
        each += [changed_json(kind, message), changed_json(kind, message)]
        each.append(changed_bytes(kind, json.dumps(message).encode(), True))
    every = {"sample": sample(SEQ), "bundle": bundle(SEQ)}
    for kind, frame in every.items():
        each += [changed_bytes(kind, frame, False)] * 3
    inside = st.lists(
        st.one_of(
            changed_json("metrics", told["metrics"]),
            changed_bytes("sample", every["sample"], False),
        ),
        min_size=1,
        max_size=3,
    ).map(lambda found: Mutant("bundle", pack_bundle(*(one.data for one in found)), False))
    samples = st.builds(
        lambda states, norms: Mutant(
            "sample", pack_sample(SEQ, 3, states, {1: norms}, at=AT), False
        ),
        st.just([PRESENT, ABSENT]),
        st.lists(st.floats(width=32), min_size=2, max_size=2),
    )
    return st.one_of(*each, inside, samples, st.binary(max_size=80).map(_raw))


def _raw(data: bytes) -> Mutant:
    return Mutant("bytes", data, False)


def mutant_greetings(run: str) -> st.SearchStrategy[Mutant]:
    """Mutants of the first frame."""
    each: list[st.SearchStrategy[Mutant]] = []
    for kind, message in greetings(run).items():
        each += [changed_json(kind, message), changed_json(kind, message)]
        each.append(changed_bytes(kind, json.dumps(message).encode(), True))
    return st.one_of(*each, st.binary(max_size=80).map(_raw))


def mutant_watches() -> st.SearchStrategy[Mutant]:
    """Mutants of what a page sends."""
    return st.one_of(
        changed_json("watch", WATCH),
        changed_bytes("watch", json.dumps(WATCH).encode(), True),
        st.binary(max_size=80).map(lambda data: Mutant("watch", data, False)),
    )
