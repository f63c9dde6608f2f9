"""The tape: its sizes are read once, and it lets go of everything at once."""

from __future__ import annotations

import gc
import weakref

import torch

from gradgate.probe.diagnosis.tape import Tape
from tests.support.tracing import Recorded, call, chain, value


def test_a_call_is_where_its_innermost_line_is() -> None:
    """None where no line is known."""
    made = call("relu", "net.py:3")
    assert made.place is not None
    assert made.place.text == "net.py:3"
    made.chain = chain()
    assert made.place is None


def test_sizes_that_are_tensors_are_read() -> None:
    """All others stay as they are."""
    values = [value() for _ in range(3)]
    values[0].size, values[1].size = torch.tensor(3.0), 2.0
    Tape(values=values).read_sizes()
    assert [each.size for each in values] == [3.0, 2.0, None]
    assert isinstance(values[0].size, float)


def test_a_tape_that_is_cleared_holds_nothing() -> None:
    """Calls and values hold each other: what was traced would stay until a collection."""
    x = torch.ones(2, requires_grad=True)
    tape = Recorded(lambda: x.exp().sum().backward()).tape
    kept = [weakref.ref(each) for each in (*tape.calls, *tape.values)]
    assert len(kept) == 5
    gc.disable()
    try:
        tape.clear()
        assert [ref for ref in kept if ref() is not None] == []
    finally:
        gc.enable()
    assert not any((tape.leaves, tape.backwards, tape.by_node, tape.at_node, tape.unregistered))


def test_who_holds_a_value_of_a_cleared_tape_holds_no_other() -> None:
    """Nor its call, nor a node of the graph."""
    x = torch.ones(2, requires_grad=True)
    tape = Recorded(lambda: x.exp().sum().backward()).tape
    calls, values = list(tape.calls), list(tape.values)
    tape.clear()
    assert [(call.inputs, call.outputs) for call in calls] == [([], [])] * len(calls)
    assert [(each.made_by, each.node, each.flows, each.lost, each.plain) for each in values] == [
        (None, None, [], [], [])
    ] * len(values)
