"""Methods that do not keep their object alive."""

from __future__ import annotations

from gradgate.probe.base.weak_methods import while_alive


class Adder:
    """Adds to what it has."""

    def __init__(self, number: int) -> None:
        self.number = number

    def add(self, more: int, *, times: int = 1) -> int:
        return self.number + more * times


def test_a_method_is_called_as_long_as_its_object_is_there() -> None:
    """From then on the other function is, with the same arguments."""
    adder = Adder(1)
    call = while_alive(adder.add, lambda more, times=1: -more * times)
    assert (call(2), call(2, times=3)) == (3, 7)
    del adder
    assert (call(2), call(2, times=3)) == (-2, -6)
