"""Several frames in one message: as if each had come by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradgate.server.protocol import limits
from gradgate.server.protocol.bundle import unbundle
from gradgate.server.protocol.frames import FrameError
from tests.support.probing import PRESENT, FakeProbe, hello, pack_bundle, pack_sample, table_row
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

MIXED = ["{}", pack_sample(1, 1, [PRESENT], {1: [1.0]}, at=12.5), '{"é": 1}', "{}"]


def metrics(seq: int, **values: float) -> dict[str, Any]:
    """What was logged at the step of this number."""
    return {"type": "metrics", "seq": seq, "step": seq, "time": 1.0, "values": values}


def sample(seq: int, *norms: float) -> bytes:
    """A sample whose step is its number."""
    return pack_sample(seq, seq, [PRESENT] * len(norms), {1: list(norms)})


@pytest.mark.parametrize(
    "message",
    ["{}", "GG\1\2", b"", b"GG", b"XX\1\2", MIXED[1]],
    ids=["text", "text like a bundle", "empty", "cut off", "no frame of ours", "sample"],
)
def test_a_frame_by_itself_is_no_bundle(message: str | bytes) -> None:
    """Whatever is not marked as a bundle is one frame, good or not."""
    assert list(unbundle(message)) == [message]


def test_a_bundle_gives_its_frames_in_order() -> None:
    """Samples come out as bytes and all else as text."""
    assert list(unbundle(pack_bundle(*MIXED))) == MIXED


def test_a_bundle_holds_as_many_frames_as_the_limit_says() -> None:
    """The limit itself is allowed."""
    assert len(unbundle(pack_bundle(*["{}"] * limits.BUNDLE_FRAMES))) == limits.BUNDLE_FRAMES


def test_every_part_of_a_bundle_is_no_bundle() -> None:
    """Wherever a bundle is cut off, it is refused."""
    whole = pack_bundle(*MIXED)
    for length in range(4, len(whole)):
        with pytest.raises(FrameError, match=f"this one has {length}$"):
            unbundle(whole[:length])


def test_nothing_stands_behind_the_last_frame_of_a_bundle() -> None:
    """Bytes that belong to no frame are refused."""
    whole = pack_bundle(*MIXED)
    with pytest.raises(FrameError, match=f"this one has {len(whole) + 1}$"):
        unbundle(whole + b"\0")


def test_a_bundle_is_stored_like_its_frames(shared_server: ServerProcess, run: str) -> None:
    """A grown table, a sample that needs it, metrics, a report and a heartbeat in one message."""
    table = [table_row(name) for name in ("a.weight", "a.bias", "b")]
    report = {"type": "report", "seq": 4, "local": 1, "state": "applied", "time": 1.0, "step": 3}
    freeze = {"kind": "freeze", "target": "b", "mode": "grad", "parameters": [2]}
    heartbeat = {"type": "heartbeat", "time": 1.0, "step": 3, "every": 7, "dropped": 0, "faults": 0}
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(
            pack_bundle(
                sample(1, 1.0, 2.0),
                {"type": "parameters", "seq": 2, "parameters": table},
                sample(3, 3.0, 4.0, 5.0),
                {**report, **freeze},
                {**heartbeat, "steps_per_second": 2.5, "cost": 0.004},
                metrics(5, loss=0.5),
            )
        )
        probe.until_acked(5)
    row = shared_server.get(f"/api/runs/{run}")
    assert (row["samples"], row["parameters"], row["every"]) == (2, 3, 7)
    assert shared_server.get(f"/api/runs/{run}/series", parameter="b")["values"][-1] == 5.0
    assert shared_server.get(f"/api/runs/{run}/metrics")["metrics"]["loss"]["values"] == [0.5]
    (command,) = shared_server.get(f"/api/runs/{run}/commands")["commands"]
    assert (command["target"], command["state"]) == ("b", "applied")


def test_what_is_sent_again_in_a_bundle_is_stored_once(
    shared_server: ServerProcess, run: str
) -> None:
    """After a reconnection, and within one bundle, numbers that were there are ignored."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(pack_bundle(*(sample(seq, seq, seq) for seq in range(1, 6))))
        probe.until_acked(5)
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 5
        again = [sample(seq, 100.0 + seq, seq) for seq in (3, 4, 5, 6, 7, 6)]
        probe.send(pack_bundle(*again, metrics(7, loss=1.0), metrics(8, loss=2.0)))
        probe.until_acked(8)
    series = shared_server.get(f"/api/runs/{run}/series", parameter="a.weight")
    assert series["values"] == [1, 2, 3, 4, 5, 106, 107]
    assert shared_server.get(f"/api/runs/{run}/metrics")["metrics"]["loss"]["values"] == [2.0]


def test_what_comes_before_a_bad_frame_counts(shared_server: ServerProcess, run: str) -> None:
    """A frame that is refused ends the connection, and those before it in its bundle are stored."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(
            pack_bundle(sample(1, 1.0, 2.0), metrics(2, loss=1.0), "{}", sample(3, 5.0, 6.0))
        )
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert "The frame is malformed" in last["message"]
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 2


def test_nothing_of_a_bundle_that_is_cut_off_is_taken(
    shared_server: ServerProcess, run: str
) -> None:
    """A bundle whose lengths do not fit is refused before its first frame is read."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.send(pack_bundle(sample(1, 1.0, 2.0), json.dumps(metrics(2, loss=1.0)))[:-1])
        assert probe.until_closed()[0] == 1008
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 0


def test_nothing_counts_behind_a_bye(shared_server: ServerProcess, run: str) -> None:
    """A run that finished takes no more frames, not even of the same bundle."""
    with FakeProbe(shared_server, hello(run)) as probe:
        bye = {"type": "bye", "time": 1.0, "step": 1}
        probe.send(pack_bundle(sample(1, 1.0, 2.0), bye, sample(2, 1.0, 2.0)))
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 1
