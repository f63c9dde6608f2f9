"""A frame of the outbox that may be made late."""

from __future__ import annotations

import threading

from gradgate.probe.link.entry import Entry


def test_a_frame_is_made_once_under_its_number() -> None:
    """And one that was there from the start is what it is; one that cannot be made is none."""
    made: list[int] = []

    def make(_: None, seq: int) -> str:
        made.append(seq)
        return f"late {seq}"

    late, early, never = (
        Entry(7, size=3, make=make),
        Entry(8, "early"),
        Entry(9, make=lambda _, seq: None),
    )
    assert [each.is_made() for each in (late, late, early, never, never)] == [True] * 3 + [
        False
    ] * 2
    assert (late.frame, early.frame, made) == ("late 7", "early", [7])
    assert late.size == 3


def test_two_threads_may_make_it_at_once() -> None:
    """As who sends and who records may take it; each has it whole."""
    begun, over = threading.Event(), threading.Event()

    def make(_: None, seq: int) -> str:
        if not begun.is_set():
            begun.set()
            assert over.wait(20)
        return f"late {seq}"

    entry, seen = Entry(1, make=make), list[tuple[bool, object]]()
    slow = threading.Thread(target=lambda: seen.append((entry.is_made(), entry.frame)))
    slow.start()
    assert begun.wait(20)
    assert (entry.is_made(), entry.frame) == (True, "late 1")
    over.set()
    slow.join(20)
    assert seen == [(True, "late 1")]
