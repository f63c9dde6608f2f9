"""What is on its way to the server, bounded in memory, and then on disk."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from gradgate.probe.link.entry import Entry
from gradgate.probe.link.outbox import (
    LARGE,
    MAX_KEPT,
    MOST_REFUSED,
    OVERHEAD,
    TABLE,
    Outbox,
)
from gradgate.probe.spool.recording import Recording
from gradgate.probe.spool.spool import Spool


def filled(count: int, room_for: int = 100) -> Outbox:
    """An outbox with frames "1", "2", … of 10 characters, every fifth of which must be kept."""
    outbox = Outbox(room_for * (10 + OVERHEAD))
    for number in range(1, count + 1):
        outbox.put(lambda seq: f"{seq:010d}", keep=number % 5 == 0)
    return outbox


def numbers(outbox: Outbox) -> list[int]:
    """Send everything, and return which frames that were."""
    entries = outbox.take()
    for entry in entries:
        outbox.offer(entry)
        outbox.sent(entry)
    return [int(entry.frame) for entry in entries]


def test_frames_are_taken_once_and_in_order() -> None:
    """Each frame is sent once over a connection, whichever lane it is in."""
    outbox = filled(12)
    assert numbers(outbox) == list(range(1, 13))
    assert numbers(outbox) == []
    outbox.put(lambda seq: str(seq))
    assert numbers(outbox) == [13]


def test_the_oldest_are_dropped_and_counted_but_never_what_must_be_kept() -> None:
    """A full outbox drops its oldest samples; reports stay."""
    outbox = filled(100, room_for=20)
    kept = numbers(outbox)
    assert [n for n in kept if n % 5] == [n for n in range(75, 101) if n % 5][-20:]
    assert [n for n in kept if n % 5 == 0] == list(range(5, 101, 5))
    assert outbox.dropped == 60


def test_after_a_lost_connection_what_is_not_stored_is_sent_again() -> None:
    """rewind(n) forgets up to n and sends the rest anew."""
    outbox = filled(12)
    numbers(outbox)
    outbox.acknowledge(4)
    outbox.rewind(7)
    assert numbers(outbox) == [8, 9, 10, 11, 12]


def test_a_server_that_knows_nothing_gets_all_that_is_kept() -> None:
    """A fresh data folder (last_seq 0) gets every frame that was not acknowledged."""
    outbox = filled(6)
    numbers(outbox)
    outbox.acknowledge(2)
    outbox.rewind(0)
    assert numbers(outbox) == [3, 4, 5, 6]


def test_it_wakes_the_sender_for_what_had_better_not_wait() -> None:
    """What must not be dropped, a large frame, and all where somebody waits until it is stored."""
    woken: list[int] = []
    outbox = filled(1)
    outbox.listen(lambda: woken.append(len(woken)))
    assert numbers(outbox) == [1]
    outbox.put(lambda seq: "x" * LARGE)
    assert len(woken) == 1
    outbox.put(lambda seq: "x" * (LARGE + 1))
    assert len(woken) == 2
    outbox.put(str, keep=True)
    assert len(woken) == 3
    assert not outbox.wait_empty(0)
    assert len(woken) == 4
    for entry in outbox.take():
        outbox.offer(entry)
    outbox.acknowledge(outbox.newest)
    assert outbox.wait_empty(0)
    assert len(woken) == 4


def test_it_wakes_the_sender_once_until_nothing_is_left() -> None:
    """Who found frames looks again unasked, and is woken after a look that found none."""
    woken: list[int] = []
    outbox = filled(2)
    outbox.listen(lambda: woken.append(1))
    assert len(woken) == 1
    outbox.put(str)
    assert len(woken) == 1
    assert numbers(outbox) == [1, 2, 3]
    outbox.put(str)
    assert len(woken) == 1
    assert numbers(outbox) == [4]
    assert numbers(outbox) == []
    outbox.put(str)
    outbox.put(str)
    assert len(woken) == 2


def test_a_late_listener_hears_of_the_backlog() -> None:
    """What was sent over a connection that is lost is news to the next."""
    woken: list[int] = []
    outbox = filled(2)
    assert numbers(outbox) == [1, 2]
    outbox.listen(lambda: woken.append(1))
    assert not woken
    outbox.rewind(1)
    outbox.listen(lambda: woken.append(1))
    assert len(woken) == 1


def test_waiting_ends_when_all_is_stored_or_time_is_up() -> None:
    """wait_empty tells whether everything was acknowledged in time."""
    outbox = filled(5)
    assert not outbox.wait_empty(0.0)
    numbers(outbox)
    outbox.acknowledge(5)
    assert outbox.wait_empty(0.0)


def test_a_frame_that_was_taken_and_not_sent_is_taken_again() -> None:
    """A connection that ends in the middle of a batch leaves the rest to be sent."""
    outbox = filled(4)
    outbox.sent(outbox.take()[1])
    assert numbers(outbox) == [3, 4]


def test_of_an_absolute_state_only_the_latest_is_kept() -> None:
    """A thousand changes of what is frozen are one frame, and reports stay bounded."""
    outbox = Outbox()
    for _ in range(1000):
        outbox.put(str, keep=True, replaces="frozen")
    assert numbers(outbox) == [1000]
    for _ in range(MAX_KEPT + 5):
        outbox.put(str, keep=True)
    assert len(outbox.take()) == MAX_KEPT
    assert outbox.dropped == 6


def test_a_state_that_others_rely_on_takes_the_place_of_the_one_before() -> None:
    """What waits behind a table finds it told already, and one that was taken is not touched."""
    outbox = Outbox()

    def put_table(text: str) -> None:
        outbox.put(lambda seq: f"{text} {seq}", keep=True, replaces="table", in_place=True)

    put_table("first")
    outbox.put(lambda seq: f"sample {seq}")
    put_table("second")
    assert [entry.frame for entry in outbox.take()] == ["second 1", "sample 2"]
    put_table("third")
    outbox.put(lambda seq: f"sample {seq}")
    assert [entry.frame for entry in outbox.take()] == ["sample 2", "third 3", "sample 4"]
    outbox.rewind(0)
    put_table("fourth")
    assert [entry.frame for entry in outbox.take()] == ["sample 2", "fourth 3", "sample 4"]


def test_what_was_sent_stays_sent() -> None:
    """An older frame that is noted behind a newer one does not bring that one back."""
    outbox = filled(3)
    first, second, third = outbox.take()
    outbox.sent(second)
    outbox.sent(first)
    assert numbers(outbox) == [3]
    outbox.sent(third)
    assert numbers(outbox) == []


def test_what_is_spilled_is_sent_first_and_nothing_twice(tmp_path: Path) -> None:
    """An outage longer than memory holds: all comes in order, and none was dropped."""
    outbox = Outbox(20 * (10 + OVERHEAD), Spool(tmp_path / "run.gradgate", 2**20, None))
    for number in range(1, 201):
        outbox.put(lambda seq: f"{seq:010d}", keep=number % 5 == 0)
        if outbox.crowded:
            outbox.spill(lambda: {"type": "hello"})
    outbox.offer(Entry(30, ""))
    outbox.rewind(30)
    first = numbers(outbox)
    outbox.put(lambda seq: f"{seq:010d}")
    assert first + numbers(outbox) + numbers(outbox) == list(range(31, 202))
    assert outbox.dropped == 0
    assert not outbox.wait_empty(0)
    outbox.acknowledge(201)
    assert outbox.wait_empty(0)
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_no_frame_on_disk(tmp_path: Path) -> None:
    """The hello has it, newly written where it has changed; older frames stay before it."""
    hellos: list[int] = []

    def hello() -> dict[str, object]:
        hellos.append(len(hellos))
        return {"type": "hello", "table": len(hellos)}

    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    for kind in ("sample", "parameters", "sample", "sample"):
        replaces = "parameters" if kind == "parameters" else None
        outbox.put(lambda seq: f"{seq:010d}", keep=replaces is not None, replaces=replaces)
        outbox.spill(hello)
    path = outbox.leave(hello, {"type": "bye"})
    assert path is not None
    recording = Recording(path)
    assert [each.seq for each in recording.after(0)] == [1, 3, 4]
    assert recording.hello["table"] == len(hellos) == 2
    assert recording.bye == {"type": "bye"}


def test_a_copy_has_the_same_frames_under_the_same_numbers(tmp_path: Path) -> None:
    """Whatever a server takes meanwhile, and whatever takes the place of another."""

    def put(kind: str) -> None:
        is_table = kind == "parameters"
        name = None if kind == "sample" else kind
        outbox.put(
            lambda seq: f"{kind} {seq}", keep=name is not None, replaces=name, in_place=is_table
        )

    copy = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    outbox = Outbox(10 * (10 + OVERHEAD), copy=copy)
    for kind in ("sample", "parameters", "sample", "parameters", "frozen", "sample"):
        put(kind)
    copy.spill(lambda: {"type": "hello"})
    sent = {entry.seq: entry.frame for entry in outbox.take()}
    for kind in ("parameters", "frozen", *["sample"] * 30):
        put(kind)
    sent |= {entry.seq: entry.frame for entry in outbox.take()}
    path = copy.leave(lambda: {"type": "hello"}, {"type": "bye"})
    assert path is not None
    written = {each.seq: each.frame for each in Recording(path).after(0)}
    assert outbox.dropped > 0
    frames = {seq: frame for seq, frame in sent.items() if "parameters" not in frame}
    assert frames.items() <= written.items()
    assert [seq for seq in written if "sample" in written[seq]] == [1, 3, 5, *range(8, 38)]


@pytest.mark.parametrize("alone", [True, False])
def test_a_goodbye_is_left_alone_only_where_a_server_waits_for_it(
    alone: bool, tmp_path: Path
) -> None:
    """With everything else stored there is no file, but for that."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    outbox.put(lambda seq: f"{seq:010d}")
    outbox.offer(outbox.take()[0])
    outbox.acknowledge(1)
    left = outbox.leave(lambda: {"type": "hello"}, {"type": "bye"}, alone=alone)
    assert left == (tmp_path / "run.gradgate" if alone else None)
    assert list(tmp_path.iterdir()) == ([left] if alone else [])


def test_a_table_that_is_not_sent_is_not_spilled_while_a_server_is_there(tmp_path: Path) -> None:
    """It would reach the server with the next connection alone, behind samples that need it."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    outbox.put(lambda seq: f"{seq:010d}", keep=True, replaces="parameters")
    outbox.put(lambda seq: f"{seq:010d}")
    outbox.listen(lambda: None)
    outbox.spill(lambda: {"type": "hello"})
    assert outbox.holds(1)
    numbers(outbox)
    outbox.spill(lambda: {"type": "hello"})
    assert not outbox.holds(2)
    outbox.leave(lambda: None, {"type": "bye"})


def test_it_says_whether_what_was_put_by_then_still_waits_in_memory(tmp_path: Path) -> None:
    """In either lane, until it is stored or on disk."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    assert not outbox.holds(outbox.newest)
    outbox.put(lambda seq: f"{seq:010d}", keep=True)
    outbox.put(lambda seq: f"{seq:010d}")
    assert (outbox.newest, outbox.holds(0), outbox.holds(1)) == (2, False, True)
    numbers(outbox)
    outbox.acknowledge(1)
    assert not outbox.holds(1)
    assert outbox.holds(2)
    outbox.spill(lambda: {"type": "hello"})
    assert not outbox.holds(2)
    outbox.leave(lambda: None, {"type": "bye"})


@pytest.mark.parametrize("lies", [Outbox.acknowledge, Outbox.rewind])
def test_what_was_never_sent_is_not_taken_for_stored(
    lies: Callable[[Outbox, int], None], tmp_path: Path
) -> None:
    """Whoever says so is no server of this run: nothing is forgotten, in memory or on disk."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    for _ in range(4):
        outbox.put(lambda seq: f"{seq:010d}")
    outbox.spill(lambda: {"type": "hello"})
    outbox.put(lambda seq: f"{seq:010d}")
    outbox.offer(outbox.take()[1])
    with pytest.raises(ValueError, match="stored frame 3, which it was never sent"):
        lies(outbox, 3)
    outbox.rewind(0)
    assert numbers(outbox) == [1, 2, 3, 4]
    assert numbers(outbox) == [5]
    lies(outbox, 5)
    lies(outbox, 2)
    assert outbox.wait_empty(0)


def test_what_cannot_be_spilled_stays_in_memory(tmp_path: Path) -> None:
    """Up to where memory is full, as without a file."""
    outbox = Outbox(20 * (10 + OVERHEAD), Spool(tmp_path / "run.gradgate", 200, None))
    for _ in range(30):
        outbox.put(lambda seq: f"{seq:010d}")
        outbox.spill(lambda: {"type": "hello"})
    on_disk = numbers(outbox)
    assert on_disk == list(range(1, len(on_disk) + 1))
    assert numbers(outbox) == list(range(11, 31))
    assert outbox.dropped == 10 - len(on_disk)
    outbox.leave(lambda: None, {"type": "bye"})


@pytest.mark.parametrize("number", [1, 5, 7, 12])
def test_a_refused_frame_alone_is_left_out(number: int) -> None:
    """Whichever lane it is in; it counts as dropped, and with the rest stored nothing waits."""
    outbox = filled(12)
    numbers(outbox)
    assert outbox.refuse(number)
    outbox.rewind(number - 1)
    others = list(range(number + 1, 13))
    assert numbers(outbox) == others
    outbox.acknowledge(max(others, default=number - 1))
    assert outbox.wait_empty(0)
    assert outbox.dropped == 1


@pytest.mark.parametrize("number", [1, 6, 12])
def test_a_refused_frame_on_disk_is_left_out(number: int, tmp_path: Path) -> None:
    """And the file goes once all others are stored, also where it was the last."""
    file = tmp_path / "run.gradgate"
    outbox = Outbox(spool=Spool(file, 2**20, None))
    for _ in range(12):
        outbox.put(lambda seq: f"{seq:010d}")
    outbox.spill(dict)
    assert numbers(outbox) == list(range(1, 13))
    assert outbox.refuse(number)
    outbox.rewind(number - 1)
    assert numbers(outbox) == list(range(number + 1, 13))
    if number < 12:
        assert file.exists()
        outbox.acknowledge(12)
    assert outbox.wait_empty(0)
    assert not file.exists()


@pytest.mark.parametrize("gap", ["table", "replaced"])
def test_a_refused_frame_behind_a_gap_is_the_last(gap: str, tmp_path: Path) -> None:
    """A table has no frame on disk, and neither has what another replaced."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    outbox.put(lambda seq: f"{seq:010d}")
    for _ in range(2 if gap == "replaced" else 1):
        outbox.put(
            lambda seq: f"{seq:010d}", keep=True, replaces=TABLE if gap == "table" else "gates"
        )
    if gap == "table":
        outbox.put(lambda seq: f"{seq:010d}")
    outbox.spill(dict)
    assert numbers(outbox) == [1, 3]
    assert outbox.refuse(3)
    outbox.rewind(1)
    assert numbers(outbox) == []
    assert outbox.wait_empty(0)
    assert not (tmp_path / "run.gradgate").exists()


def test_a_server_that_refuses_what_it_was_not_sent_is_not_believed() -> None:
    """Nor one that refuses a frame again, or one after the other: then nothing is dropped."""
    outbox = filled(100)
    assert not outbox.refuse(1)
    numbers(outbox)
    assert not outbox.refuse(0)
    assert not outbox.refuse(101)
    assert outbox.refuse(1)
    assert not outbox.refuse(1)
    others = [outbox.refuse(number) for number in range(2, MOST_REFUSED + 2)]
    assert others == [*[True] * (MOST_REFUSED - 1), False]
    assert outbox.dropped == MOST_REFUSED


def test_a_frame_that_was_put_off_is_made_by_who_takes_it() -> None:
    """Once, under its own number, and in its place among the others."""
    outbox, made = Outbox(), list[int]()

    def make(source: str, seq: int) -> str:
        made.append(seq)
        return f"{source} {seq}"

    outbox.put_off(make, "late", 6)
    outbox.put(lambda seq: f"kept {seq}", keep=True)
    outbox.put_off(make, "later", 6)
    assert made == []
    for _ in range(2):
        assert [entry.frame for entry in outbox.take()] == ["late 1", "kept 2", "later 3"]
    assert made == [1, 3]


def test_a_frame_that_is_made_lets_go_of_what_it_was_made_of() -> None:
    """The figures of a sample are as large as its frame."""

    class Source: ...

    outbox, source = Outbox(), Source()
    gone = weakref.ref(source)
    outbox.put_off(lambda source, seq: f"late {seq}", source, 10)
    del source
    assert gone() is not None
    outbox.take()
    assert gone() is None


def test_what_was_put_off_takes_the_room_that_it_was_said_to_take() -> None:
    """The oldest are dropped, and never made."""
    outbox, made = Outbox(10 * (1000 + OVERHEAD)), list[int]()

    def make(_: None, seq: int) -> str:
        made.append(seq)
        return "short"

    for _ in range(15):
        outbox.put_off(make, None, 1000)
    assert (outbox.dropped, outbox.unstored) == (5, 10_000)
    outbox.take()
    assert made == list(range(6, 16))
    outbox.put(lambda seq: f"{seq:01000d}")
    assert outbox.dropped == 6


def test_a_frame_that_cannot_be_made_is_left_out() -> None:
    """It is counted as dropped; nobody waits for it, and what comes later is told of."""
    outbox, woken = Outbox(), list[int]()
    outbox.listen(lambda: woken.append(1))
    outbox.put_off(lambda _, seq: None, None, 10)
    assert outbox.take() == []
    assert (outbox.dropped, outbox.unstored, outbox.wait_empty(0)) == (1, 0, True)
    outbox.put_off(lambda _, seq: f"late {seq}", None, 10)
    assert [entry.frame for entry in outbox.take()] == ["late 2"]
    assert woken == [1, 1]


def test_what_was_put_off_is_made_for_the_disk(tmp_path: Path) -> None:
    """What comes while it is made, which takes time, waits for the next time."""
    outbox = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))

    def make(_: None, seq: int) -> str:
        if seq == 1:
            outbox.put_off(make, None, 10)
            outbox.put(lambda seq: f"kept {seq}", keep=True)
        return f"late {seq}"

    outbox.put_off(make, None, 10)
    outbox.spill(lambda: {"type": "hello"})
    assert not outbox.holds(1)
    assert outbox.holds(2)
    path = outbox.leave(lambda: {"type": "hello"}, {"type": "bye"})
    assert path is not None
    written = [(each.seq, each.frame) for each in Recording(path).after(0)]
    assert written[:3] == [(1, "late 1"), (2, "late 2"), (3, "kept 3")]


def test_two_that_take_the_same_frame_have_it_both(tmp_path: Path) -> None:
    """A file beside a server, whichever comes first."""
    copy = Outbox(spool=Spool(tmp_path / "run.gradgate", 2**20, None))
    outbox = Outbox(copy=copy)
    outbox.put_off(lambda _, seq: f"late {seq}", None, 10)
    assert [entry.frame for entry in outbox.take()] == ["late 1"]
    outbox.put_off(lambda _, seq: f"late {seq}", None, 10)
    path = copy.leave(lambda: {"type": "hello"}, {"type": "bye"})
    assert path is not None
    assert [each.frame for each in Recording(path).after(0)][:2] == ["late 1", "late 2"]
    assert [entry.frame for entry in outbox.take()] == ["late 1", "late 2"]
