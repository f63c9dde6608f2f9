"""The guard: one item of several that fails."""

from __future__ import annotations

import logging

import pytest

from gradgate.server.store.guard import guarded, logged, readable


def test_a_fault_is_handed_on_and_goes_no_further() -> None:
    """The block ends, and what is behind it goes on."""
    faults: list[Exception] = []
    with guarded(faults.append):
        raise KeyError("a")
    assert [repr(fault) for fault in faults] == ["KeyError('a')"]


def test_what_may_pass_passes() -> None:
    """The store that fails is nobody's own fault, say."""
    faults: list[Exception] = []
    with pytest.raises(KeyError, match="a"), guarded(faults.append, passing=(KeyError,)):
        raise KeyError("a")
    assert faults == []


def test_the_end_of_a_thread_is_no_fault() -> None:
    """`SystemExit` and Ctrl-C are not for the guard."""
    with pytest.raises(SystemExit), guarded(logged("not told")):
        raise SystemExit


def test_rows_that_cannot_be_read_are_left_out_by_name(caplog: pytest.LogCaptureFixture) -> None:
    """The others are there, in their order, and the log names the one that is not."""
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert readable(["1", "b", "3"], int, lambda row: f"row {row}") == [1, 3]
    assert [record.getMessage() for record in caplog.records] == [
        "What is stored of row b cannot be read"
    ]
