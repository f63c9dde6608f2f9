"""Bad input: a clear answer, a server that stays up, and nothing stored that is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from websockets.exceptions import ConnectionClosed

from gradgate.server.live.connection import Refused
from gradgate.server.live.ingest import accept, decode_frame, parse_hello
from gradgate.server.live.live_run import LiveRun
from gradgate.server.protocol.probe_messages import PreviewAnswer, TrialAnswer
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.writer import Writer
from tests.support.loops import run_coroutine
from tests.support.probing import (
    PRESENT,
    FakeProbe,
    columns,
    hello,
    pack_bundle,
    pack_sample,
    table_row,
)
from tests.support.serving import ServerProcess

RUN = "feedfacecafebeef"
SAMPLE = pack_sample(2, 2, [PRESENT, PRESENT], {1: [1.0, 2.0]})
MIB = 1024 * 1024

BAD_HELLOS = [
    ({"type": "heartbeat"}, 1002, "first frame is `hello`"),
    ({"run": "not hexadecimal!"}, 1008, "run:"),
    ({"run": RUN.upper()}, 1008, "run:"),
    ({"name": ""}, 1008, "name:"),
    ({"name": "x" * 513}, 1008, "name:"),
    ({"name": "a\0b"}, 1008, "name:"),
    ({"started": "yesterday"}, 1008, "started:"),
    ({"pid": -1}, 1008, "pid:"),
    ({"step": 2**60}, 1008, "step:"),
    ({"parameters": [table_row("x" * 577)]}, 1008, "parameters.0.names.0:"),
    ({"parameters": [table_row("x", names=[])]}, 1008, "parameters.0.names:"),
    ({"parameters": [table_row("x", numel=-1)]}, 1008, "parameters.0.numel:"),
    (
        {"parameters": [table_row(f"p{i}", numel=2**52) for i in range(3)]},
        1008,
        "2**53 elements at most",
    ),
    (
        {"parameters": [table_row("a"), table_row("b"), table_row("a")]},
        1008,
        "two parameters are named 'a'",
    ),
    ({"parameters": None}, 1008, "a table is told by `columns`"),
    ({"columns": columns("a")}, 1008, "not by both"),
    ({"parameters": None, "digest": "no hash"}, 1008, "digest:"),
    *(
        ({"parameters": None, "columns": {**columns("a", "b"), **changes}}, 1008, message)
        for changes, message in (
            ({"names": ["a", "a"]}, "two parameters are named 'a'"),
            ({"names": ["a"]}, "1 parameters have a column of 2 entries"),
            ({"names": ["a", "b\0"]}, "columns.names.1:"),
            ({"module": [0, 1]}, "a column names entry 1 of 1"),
            ({"kind": [0, -1]}, "columns.kind.1:"),
            ({"kinds": []}, "a column names entry 0 of 0"),
            ({"kinds": [{**columns("a")["kinds"][0], "numel": 2**53}]}, "2**53 elements at most"),
            ({"tied": [[2, ["c"]]]}, "rising places of the table"),
            ({"tied": [[1, ["c"]], [0, ["d"]]]}, "rising places of the table"),
            ({"tied": [[0, []]]}, "columns.tied.0.1:"),
        )
    ),
    (
        {"frozen": [{"command": 1, "by": "a", "mode": "grad", "since_step": 0, "parameters": [2]}]},
        1008,
        "outside the parameter table",
    ),
]

BAD_FRAMES = [
    ("not json", 1008, "malformed"),
    ("[]", 1008, "malformed"),
    (json.dumps({"type": "nonsense", "seq": 2}), 1008, "malformed"),
    (json.dumps({"type": "metrics", "seq": 2}), 1008, "step: Field required"),
    (json.dumps({"type": "metrics", "seq": 0, "step": 1, "time": 1, "values": {}}), 1008, "seq"),
    (json.dumps(hello(RUN)), 1008, "malformed"),
    (SAMPLE[:-1], 1008, "malformed"),
    (b"GG", 1008, "malformed"),
    (pack_sample(2, 2, [9, 1], {1: [1, 1]}), 1008, "9 is no state"),
    (pack_sample(2, 2, [1] * 3, {1: [1] * 3}), 1008, "outside the parameter table of 2 rows"),
    (json.dumps({"type": "parameters", "seq": 2, "parameters": []}), 1008, "shrank from 2 to 0"),
    (
        json.dumps(
            {
                "type": "parameters",
                "seq": 2,
                "parameters": [table_row("b", numel=9), table_row("a")],
            }
        ),
        1008,
        "'a.weight' of 8 elements and is now 'b' of 9",
    ),
    (
        json.dumps(
            {"type": "report", "seq": 2, "id": 1, "state": "applied", "time": 1, "parameters": [2]}
        ),
        1008,
        "outside the parameter table",
    ),
    (
        json.dumps(
            {
                "type": "parameters",
                "seq": 2,
                "parameters": [table_row(name) for name in ("a.weight", "a.bias", "c", "c")],
            }
        ),
        1008,
        "two parameters are named 'c'",
    ),
    (pack_sample(2, 2, [1, 1], {0: [1, 1]}), 1008, "a probe does not send the statistics [0]"),
    (pack_sample(2, 2, [1, 1], {1: [1, 1], 130: [1, 1]}), 1008, "the statistics [130]"),
    (
        json.dumps({"type": "report", "seq": 2, "state": "verified", "time": 1, "step": 3}),
        1008,
        "either `id` or `local`",
    ),
    (
        json.dumps(
            {"type": "report", "seq": 2, "id": 9, "local": 1, "state": "applied", "time": 1}
        ),
        1008,
        "either `id` or `local`",
    ),
    (
        json.dumps({"type": "report", "seq": 2, "local": 1, "state": "applied", "time": 1}),
        1008,
        "has `kind` and `target`",
    ),
    (pack_bundle(SAMPLE)[:7], 1008, "a bundle has at least 8 bytes, this one has 7"),
    (pack_bundle(), 1008, "a bundle has 1 to 1000 frames, this one says 0"),
    (pack_bundle(*[SAMPLE] * 1001), 1008, "a bundle has 1 to 1000 frames, this one says 1001"),
    (pack_bundle(SAMPLE, SAMPLE)[:-1], 1008, "has 144 bytes, this one has 143"),
    (pack_bundle(SAMPLE) + b"\0", 1008, "has 76 bytes, this one has 77"),
    (b"GG\1\2\2\0\0\0\1\0\0\0", 1008, "2 frames has at least 16 bytes, this one has 12"),
    (b"GG\1\2\1\0\0\0\xff\xff\xff\xff", 1008, "has 4294967307 bytes, this one has 12"),
    (pack_bundle(SAMPLE, pack_bundle(SAMPLE)), 1008, "holds no bundle, and frame 2 of this one is"),
    (pack_bundle(b"\xff\xfe"), 1008, "frame 1 of a bundle is no sample, and no text in UTF-8"),
    (pack_bundle(""), 1008, "malformed"),
    (pack_bundle(SAMPLE[:-1]), 1008, "has 64 bytes, this one has 63"),
    (pack_bundle(json.dumps(hello(RUN))), 1008, "malformed"),
    (SAMPLE[:3] + b"\x03" + SAMPLE[4:], 1008, "1 (a sample) or 2 (a bundle), not 3"),
    (" " * (32 * MIB + 1), 1009, "at most 33554432 bytes"),
    (b"\0" * (32 * MIB + 1), 1009, "at most 33554432 bytes"),
    (pack_bundle(" " * 16 * MIB, " " * 16 * MIB), 1009, "at most 33554432 bytes"),
]


class Queue:
    """A writer that keeps what it is to write."""

    def __init__(self) -> None:
        self.seqs: list[int | None] = []

    def append(self, _: str, frame: Any, __: int) -> None:
        self.seqs.append(getattr(frame, "seq", None))


def accepted(*frames: str | bytes) -> tuple[list[int | None], LiveRun]:
    """The sequence numbers that are queued of frames to a run of two parameters."""

    async def work() -> tuple[list[int | None], LiveRun]:
        queue, live = Queue(), LiveRun(RUN, asyncio.get_running_loop())
        live.table = parse_hello(json.dumps(hello(RUN))).table
        for frame in frames:
            read = decode_frame(frame)
            assert not isinstance(read, PreviewAnswer | TrialAnswer)
            accept(read, len(frame), cast(Writer, queue), live)
        return queue.seqs, live

    return run_coroutine(work())


def test_what_comes_again_is_taken_once() -> None:
    """By its sequence number; a heartbeat has none, and always counts."""
    frames = [json.dumps({"type": "alerts", "seq": seq, "alerts": []}) for seq in (1, 2, 2, 1, 3)]
    beat = json.dumps({"type": "heartbeat", "time": 1.0, "step": 1})
    seqs, live = accepted(*frames, beat, beat)
    assert (seqs, live.backlog.received) == ([1, 2, 3, None, None], 3)


def test_a_table_is_known_to_the_frames_behind_it() -> None:
    """Before they are stored."""
    rows = [table_row(name) for name in ("a.weight", "a.bias", "b")]
    grown = json.dumps({"type": "parameters", "seq": 2, "parameters": rows})
    wide = pack_sample(3, 3, [1] * 3, {1: [1] * 3})
    assert accepted(grown, wide)[0] == [2, 3]
    with pytest.raises(Refused, match="outside the parameter table of 2 rows"):
        accepted(wide)


def test_a_run_that_says_bye_is_finished() -> None:
    """And lives until then."""
    _, live = accepted(json.dumps({"type": "heartbeat", "time": 1.0, "step": 1}))
    assert live.status is RunStatus.LIVE
    _, live = accepted(json.dumps({"type": "bye", "time": 1.0, "step": 1}))
    assert live.status is RunStatus.FINISHED


@pytest.mark.parametrize(("change", "code", "message"), BAD_HELLOS)
def test_a_bad_hello_is_refused(
    shared_server: ServerProcess, change: dict[str, Any], code: int, message: str
) -> None:
    """The error names the field, the close code is the protocol's, and no run is made."""
    run = str(change.get("run", "badbadbadbadbad0"))
    with FakeProbe(shared_server, {**hello(run), **change}) as probe:
        assert_refused(probe, code, message)
    assert run not in [row["id"] for row in shared_server.get("/api/runs")["runs"]]


def test_a_binary_hello_is_refused(shared_server: ServerProcess) -> None:
    """A sample cannot come first."""
    with FakeProbe(shared_server, SAMPLE) as probe:
        assert_refused(probe, 1002, "first frame is `hello`")


@pytest.mark.parametrize(
    ("frame", "code", "message"),
    BAD_FRAMES,
    # A frame has the time of its making in it, which each test process would name differently.
    ids=[f"{number}: {message[:40]}" for number, (_, _, message) in enumerate(BAD_FRAMES)],
)
def test_a_bad_frame_is_refused(
    shared_server: ServerProcess, run: str, frame: str | bytes, code: int, message: str
) -> None:
    """The connection ends with a sentence, what came before is kept, and the run goes on."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        probe.send(frame)
        assert_refused(probe, code, message)
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 1
        probe.send(SAMPLE)
        probe.until_acked(2)
    assert shared_server.get(f"/api/runs/{run}")["samples"] == 2


def _malformed_report(seq: object) -> str:
    return json.dumps({"type": "report", "seq": seq, "id": 1, "state": "dreaming", "time": 1})


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        (_malformed_report(7), 7),
        (json.dumps({"type": "nonsense", "seq": 2**53}), 2**53),
        (json.dumps({"type": "parameters", "seq": 3, "parameters": []}), 3),
        (pack_sample(5, 2, [9, 1], {1: [1, 1]}), 5),
        (pack_sample(6, 2, [1, 1], {1: [1, 1]})[:-1], 6),
        (pack_bundle(pack_sample(2, 2, [1, 1], {1: [1, 1]}), _malformed_report(4).encode()), 4),
        (_malformed_report(0), None),
        (_malformed_report(2**53 + 1), None),
        (_malformed_report("7"), None),
        (_malformed_report(True), None),
        (json.dumps({"type": "heartbeat"}), None),
        ("not json", None),
        (b"GG", None),
        (pack_sample(0, 2, [1, 1], {1: [1, 1]}), None),
        (pack_sample(8, 2, [1, 1], {1: [1, 1]}, version=3), None),
    ],
    ids=range(15),
)
def test_a_refusal_says_which_frame_it_is_of(
    shared_server: ServerProcess, run: str, frame: str | bytes, number: int | None
) -> None:
    """By its number, so that the job may leave it out; null where it has none."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
        probe.send(frame)
        _, last = probe.until_closed()
    assert last is not None
    assert last["seq"] == number


def test_a_refused_hello_is_no_frame_with_a_number(shared_server: ServerProcess) -> None:
    """What cannot begin is not to be left out."""
    with FakeProbe(shared_server, json.dumps({"type": "hello", "seq": 1})) as probe:
        _, last = probe.until_closed()
    assert last is not None
    assert last["seq"] is None


def test_a_frame_beyond_all_measure_ends_the_connection(
    shared_server: ServerProcess, run: str
) -> None:
    """A frame that is not even read ends the connection, and the server stays up."""
    with FakeProbe(shared_server, hello(run)) as probe:
        try:
            probe.send(b"\0" * (65 * MIB))
            code, _ = probe.until_closed()
        except ConnectionClosed as closed:
            code = 1006 if closed.rcvd is None else closed.rcvd.code
        assert code in (1006, 1009)
    with FakeProbe(shared_server, hello(run)) as probe:
        assert probe.welcome["type"] == "welcome"


@pytest.mark.parametrize(
    ("version", "older", "where"),
    [(3, "server", "where the server runs"), (0, "probe", "where the training job runs")],
)
def test_another_protocol_version_says_what_to_upgrade(
    shared_server: ServerProcess, run: str, version: int, older: str, where: str
) -> None:
    """In `hello`, whatever else it has, in a sample and in a bundle the older side is named."""
    sentence = f"upgrade the {older} {where}, by `pip install --upgrade .` in a clone"
    with FakeProbe(shared_server, {"type": "hello", "protocol": version, "new": 1}) as probe:
        assert_refused(probe, 1002, sentence)
    for frame in (
        pack_sample(1, 1, [1, 1], {1: [1, 1]}, version=version),
        pack_bundle(SAMPLE, version=version),
        pack_bundle(pack_sample(1, 1, [1, 1], {1: [1, 1]}, version=version)),
    ):
        with FakeProbe(shared_server, hello(run)) as probe:
            probe.send(frame)
            assert_refused(probe, 1002, sentence)


def test_a_table_of_other_parameters_is_refused_at_hello(
    shared_server: ServerProcess, run: str
) -> None:
    """A run that comes back with other parameters is told to start anew, and stays as it was."""
    with FakeProbe(shared_server, hello(run, ["a", "b"])):
        pass
    with FakeProbe(shared_server, hello(run, ["a"])) as probe:
        assert_refused(probe, 1008, "shrank from 2 to 1")
    table = [table_row("a"), table_row("c", numel=9)]
    with FakeProbe(shared_server, hello(run, parameters=table)) as probe:
        assert_refused(probe, 1008, "'b' of 8 elements and is now 'c' of 9")
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [row["name"] for row in rows] == ["a", "b"]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "'; drop table runs; --", "\u202egradient \U0001f525", "%"],
)
def test_a_hostile_name_is_text(shared_server: ServerProcess, run: str, name: str) -> None:
    """A parameter's or a run's name comes back as it was given, and is never markup."""
    with FakeProbe(shared_server, hello(run, [name], name=name + run)) as probe:
        probe.sample(1, [2.0])
        probe.until_acked(1)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [row["name"] for row in rows] == [name]
    assert shared_server.get(f"/api/runs/{run}/series", parameter=name)["values"] == [2.0]
    page = shared_server.page(f"/runs/{run}")
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_half_a_character_is_refused(shared_server: ServerProcess) -> None:
    """A lone surrogate is no text that could be stored."""
    greeting = json.dumps(hello("badbadbadbadbad1")).replace('"digits"', '"\\ud800"')
    assert "ud800" in greeting
    with FakeProbe(shared_server, greeting) as probe:
        assert_refused(probe, 1002, "first frame is `hello`")


def test_unknown_fields_are_ignored(shared_server: ServerProcess, run: str) -> None:
    """A field of a later minor version does no harm."""
    with FakeProbe(shared_server, hello(run, later="field")) as probe:
        assert probe.welcome["type"] == "welcome"


def assert_refused(probe: FakeProbe, code: int, message: str) -> None:
    """The connection ended with the code, after an `error` that contains the message."""
    found, last = probe.until_closed()
    assert last is not None
    assert last["type"] == "error"
    assert message in last["message"]
    assert last["retry"] is False
    assert found == code
