"""Frames as nobody should send them, against a real server; `benchmarks/hostile.py` sends more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.assault import Assault
from tests.support.hostile_frames import (
    SEQ,
    Mutant,
    bundle,
    greetings,
    mutant_greetings,
    mutant_watches,
    mutants,
    of_probe,
    sample,
)
from tests.support.probing import FakeProbe
from tests.support.serving import ServerProcess

GROWTH = 64 * 2**20
"""Bytes that a server may have more of after some hundred frames."""
T = TypeVar("T")


@pytest.fixture
def assault(tmp_path: Path) -> Iterator[Assault]:
    """A server that nobody else uses, and what is sent to it."""
    with ServerProcess(tmp_path / "data") as server:
        assault = Assault(server)
        yield assault
        assault.close()


def each_of(strategy: st.SearchStrategy[T], count: int, use: Callable[[T], None]) -> None:
    """Give so many values to a function, the same ones each time."""

    def one(value: T) -> None:
        use(value)

    settled = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(1)(settled(given(strategy)(one)))()


def test_mutants_are_stored_or_refused(assault: Assault) -> None:
    """Each with a code and a sentence; another run goes on, memory stays, no fault is logged."""
    each_of(mutants(), 250, assault.frame)
    assault.go_on()
    each_of(mutant_greetings("a" * 16), 60, assault.greeting)
    each_of(mutant_watches(), 40, assault.watch)
    assault.go_on()
    assert assault.faults == []
    assert assault.log_faults() == []
    assert assault.resident - assault.memory < GROWTH
    refused = sum(count for kind, count in assault.verdicts.items() if kind.endswith("refused"))
    assert refused > 100
    for run in assault.runs:
        for path in ("parameters", "metrics", "gates", "explanations", "alerts", "commands"):
            assert assault.server.page(f"/api/runs/{run}/{path}").status_code == 200


def test_what_mutants_are_made_of_is_taken(assault: Assault) -> None:
    """Each kind of frame is valid before it is changed, or nothing else would be tried."""
    for kind, message in of_probe(SEQ).items():
        assault.frame(Mutant(kind, json.dumps(message).encode(), True))
    for kind, data in {"sample": sample(SEQ), "bundle": bundle(SEQ)}.items():
        assault.frame(Mutant(kind, data, False))
    assert assault.faults == []
    assert {kind.rpartition(" ")[2] for kind in assault.verdicts} == {"taken"}
    for greeting in greetings("b" * 16).values():
        with FakeProbe(assault.server, greeting) as probe:
            assert probe.welcome["type"] == "welcome"


@pytest.mark.parametrize(
    "text", [b"\xff", b'{"type": "watch", "topics": ["\xc3"]}', b"\xed\xa0\x80"]
)
def test_a_text_that_is_none_is_refused(assault: Assault, text: bytes) -> None:
    """Of a page, before `hello` and behind it; nothing is logged of a fault."""
    assault.watch(Mutant("watch", text, True))
    assault.greeting(Mutant("hello", text, True))
    assault.frame(Mutant("metrics", text, True))
    assert assault.faults == []
    assert sorted(assault.verdicts) == ["hello refused", "metrics refused", "watch refused"]
    assert assault.log_faults() == []
