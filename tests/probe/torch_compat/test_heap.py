"""Looking through all objects of a process in which other threads are at work."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.torch_compat.heap import living

LOOKS = 40
OBJECTS = 300_000
"""As many as a job has that trains a language model; a look takes some time then."""


class Kind:
    """What is looked for."""


class Special(Kind):
    """What inherits from it."""


def test_every_instance_is_found_and_nothing_else() -> None:
    """Instances of subclasses count, and classes, dead objects and impostors do not."""

    class Impostor:
        __class__ = Kind  # type: ignore[assignment]

    impostor = Impostor()
    assert isinstance(impostor, Kind)
    assert living(Kind) == []
    plain, special = Kind(), Special()
    assert {id(each) for each in living(Kind)} == {id(plain), id(special)}
    assert living(Special) == [special]
    del plain
    assert living(Kind) == [special]


def test_a_stranger_that_cannot_be_hashed_is_passed_over() -> None:
    """A metaclass that defines equality alone makes its classes unhashable."""

    class Meta(type):
        def __eq__(self, other: object) -> bool:
            return self is other

    class Stranger(metaclass=Meta):
        kind = Kind

        def __init__(self) -> None:
            self.kind = Kind

    stranger = Stranger()
    assert stranger.kind is Kind
    assert living(Kind) == []


@pytest.fixture
def crowd() -> list[list[int]]:
    """The objects of a large job."""
    return [[] for _ in range(OBJECTS)]


class Builder:
    """A thread that builds tuples from generators, as any script does, until it is stopped."""

    def __init__(self) -> None:
        self.built = 0
        self.error: SystemError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._build)

    def _build(self) -> None:
        try:
            while not self._stop.is_set():
                tuple(each for each in range(40))
                self.built += 1
        except SystemError as error:
            self.error = error

    def __enter__(self) -> Builder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.usefixtures("crowd")
def test_a_look_never_breaks_a_tuple_that_another_thread_is_building() -> None:
    """CPython raises SystemError in a thread whose unfinished tuple somebody else holds."""
    with Builder() as builder:
        for _ in range(LOOKS):
            living(Kind)
    assert builder.error is None
    assert builder.built > LOOKS


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("asked", ["preview", "gate"])
def test_steering_never_breaks_a_tuple_that_another_thread_is_building(asked: str) -> None:
    """A data loader's thread, say, goes on while commands are looked at."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run, Builder() as builder:
        for _ in range(LOOKS):
            if asked == "preview":
                run.preview("freeze", "0")
            else:
                run.ungate(run.gate("output:0", when="True"))
    assert builder.error is None
    assert builder.built > LOOKS
