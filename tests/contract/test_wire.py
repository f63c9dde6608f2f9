"""Frames of the real probe against the models of the real server, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from gradgate import probe
from gradgate.probe.base.states import State as ProbeState
from gradgate.probe.link.bundle import BUNDLE_BYTES, BUNDLE_FRAMES, bundled, encode_bundle
from gradgate.probe.model.commands import FreezeCommand, read_command
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM, SHARED_OUT
from gradgate.probe.session.run import job_of
from gradgate.server.protocol import limits, probe_messages, states, statistics
from gradgate.server.protocol.bundle import unbundle
from gradgate.server.protocol.commands.change import Command
from gradgate.server.protocol.frames import decode

SCHEMA = json.loads(
    Path(__file__).parents[2].joinpath("docs", "protocol.schema.json").read_text("utf-8")
)
pytestmark = pytest.mark.usefixtures("in_memory_alone")
NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, so the outbox keeps every frame."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[probe.Run]:
    """A run with one parameter in each of several states, after a freeze, a thaw and a log."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    torch.manual_seed(0)
    model = nn.ModuleDict({name: nn.Linear(2, 2, bias=False) for name in "abcde"})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=NOBODY, every=1) as run:
        run.freeze("e")
        x = torch.ones(3, 2)
        loss = model["a"](x).sum() + model["b"](x).sum() * 0 + model["c"](x).sum() * torch.inf
        loss.backward()
        optimizer.step()
        run.log(loss=loss, accuracy=0.5)
        run.thaw("e")
        optimizer.zero_grad()
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
        model["e"](x).sum().backward()
        optimizer.step()
        yield run


def frames(run: probe.Run) -> list[str | bytes]:
    """What waits to be sent."""
    return [entry.frame for entry in job_of(run).uplink.outbox.take()]


def test_every_json_frame_is_one_that_the_server_takes(run: probe.Run) -> None:
    """hello, heartbeat and all that streams validate against models and published schema."""
    texts = [frame for frame in frames(run) if isinstance(frame, str)]
    texts += [json.dumps(job_of(run).uplink.hello()), json.dumps(job_of(run).uplink.heartbeat())]
    adapter: TypeAdapter[Any] = TypeAdapter(probe_messages.FromProbe)
    kinds = {type(adapter.validate_json(text)) for text in texts}
    assert kinds == {
        probe_messages.Hello,
        probe_messages.Heartbeat,
        probe_messages.Report,
        probe_messages.FrozenState,
        probe_messages.Metrics,
        probe_messages.Totals,
        probe_messages.Parameters,
        probe_messages.Optimizers,
    }
    schema = {**SCHEMA["properties"]["probe_to_server"], "$defs": SCHEMA["$defs"]}
    for text in texts:
        jsonschema.validate(json.loads(text), schema)


def test_no_field_is_lost_on_the_way(run: probe.Run) -> None:
    """What the probe sends is what the server's models hold: no unknown field, none missing."""
    adapter: TypeAdapter[Any] = TypeAdapter(probe_messages.FromProbe)
    for frame in [
        *frames(run),
        json.dumps(job_of(run).uplink.hello()),
        json.dumps(job_of(run).uplink.heartbeat()),
    ]:
        if isinstance(frame, str):
            sent = json.loads(frame)
            held = json.loads(adapter.validate_json(frame).model_dump_json())
            assert {key: held.get(key, "lost") for key in sent} == sent


def test_statistics_have_one_code_on_both_sides() -> None:
    """And the same ones are shared out over samples."""
    assert SHARED_OUT == statistics.SHARED_OUT
    assert (GRAD_NORM, GRAD_MAX) == (
        statistics.Statistic.GRAD_NORM,
        statistics.Statistic.GRAD_MAX,
    )


def test_samples_cross_with_every_state_and_value(run: probe.Run) -> None:
    """A binary frame decodes to the states and norms that were measured."""
    first, second = (decode(frame) for frame in frames(run) if isinstance(frame, bytes))
    assert (first.step, second.step) == (1, 2)
    assert first.seq < second.seq
    assert not first.skipped
    words = [states.State(code).name.lower() for code in first.states]
    assert words == ["present", "zero", "nonfinite", "absent", "frozen"]
    norm = math.sqrt(4 * 3.0**2)
    expected = np.array([norm, 0, np.inf, np.nan, np.nan], np.float32)
    np.testing.assert_array_equal(first.values[GRAD_NORM], expected)
    np.testing.assert_array_equal(first.values[GRAD_MAX][:2], np.array([3, 0], np.float32))
    assert list(second.values) == [GRAD_NORM, *SHARED_OUT]


def test_a_bundle_holds_the_very_frames(run: probe.Run) -> None:
    """JSON and samples cross together, in order and byte for byte."""
    sent = frames(run)
    assert {str, bytes} == {type(frame) for frame in sent}
    assert list(unbundle(encode_bundle(sent))) == sent
    (message,) = [message for message, _ in bundled(job_of(run).uplink.outbox.take())]
    assert list(unbundle(message)) == sent


def test_both_sides_have_the_same_limit_of_a_bundle() -> None:
    """The probe gathers no more frames than the server takes."""
    assert BUNDLE_FRAMES == limits.BUNDLE_FRAMES
    assert BUNDLE_BYTES < limits.FRAME_BYTES


def test_both_sides_have_the_same_states() -> None:
    """The codes and words of the states agree."""
    ours = {state.value: state.word for state in ProbeState}
    assert ours == {state.value: state.name.lower() for state in states.State}


def test_the_probe_reads_the_servers_commands() -> None:
    """A command of the server's model becomes the probe's command, field by field."""
    sent = Command(id=7, kind="freeze", target="encoder.*", mode="grad", by="browser")
    read = read_command(json.loads(sent.model_dump_json()))
    assert read == FreezeCommand("encoder.*", by="browser", mode="grad", id=7)
    read.check()
