"""What the server is told of a run."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from gradgate import probe
from gradgate.probe.link.outbox import OVERHEAD
from gradgate.probe.measure.metrics import MetricValues
from gradgate.probe.model.sample import Sample
from gradgate.probe.session.run import job_of
from gradgate.server.protocol import probe_messages
from gradgate.server.protocol.frames import decode
from tests.support.growing import (
    adam,
    add_adapter,
    plain,
    train,
)

pytestmark = pytest.mark.usefixtures("in_memory_alone")
NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, so the outbox keeps every frame."""


def test_frames_of_a_growing_table_are_what_the_server_takes() -> None:
    """Every table that is sent is valid, only grows, and comes before samples of its size."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=NOBODY, every=1) as run:
        hello = json.loads(json.dumps(job_of(run).uplink.hello()))
        train(model, optimizer, step=1)
        sent = job_of(run).uplink.outbox.take()
        add_adapter(model, optimizer)
        train(model, optimizer, step=2)
        sent += job_of(run).uplink.outbox.take()[len(sent) :]
        model.head = nn.Linear(16, 3)
        optimizer.add_param_group({"params": model.head.parameters()})
        train(model, optimizer, step=3)
        run.freeze("head")
        sent += job_of(run).uplink.outbox.take()[len(sent) - 1 :]
        final = job_of(run).uplink.hello()
    adapter: TypeAdapter[Any] = TypeAdapter(probe_messages.FromProbe)
    assert isinstance(adapter.validate_python(final), probe_messages.Hello)
    size, tables = len(hello["columns"]["names"]), 0
    for entry in sent:
        if isinstance(entry.frame, bytes):
            assert len(decode(entry.frame).states) <= size
            continue
        message = adapter.validate_json(entry.frame)
        if isinstance(message, probe_messages.Parameters):
            tables += 1
            assert len(message.table) > size
            size = len(message.table)
        if isinstance(message, probe_messages.Report):
            assert max(message.parameters, default=0) < size
    assert tables == 2
    table = adapter.validate_python(final).table
    assert size == len(table)
    kinds = {name: table.kinds[kind] for name, kind in zip(table.names, table.kind, strict=True)}
    assert kinds["head.lora_A.weight (removed at step 3)"].removed
    assert not kinds["head.weight"].removed


def test_a_table_that_still_waits_is_replaced_in_its_place() -> None:
    """Samples that wait behind it may be as long as the newer one."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=NOBODY, every=1) as run:
        outbox = job_of(run).uplink.outbox
        for step in range(1, 3):
            model.register_parameter(f"extra{step}", nn.Parameter(torch.ones(1)))
            train(model, optimizer, step=step)
        frames = [entry.frame for entry in outbox.take()]
    kinds = ["sample" if isinstance(f, bytes) else json.loads(f)["type"] for f in frames]
    assert kinds.count("parameters") == 1
    table = kinds.index("parameters")
    assert table < kinds.index("sample")
    assert len(json.loads(frames[table])["columns"]["names"]) == len(list(model.parameters()))


def test_after_a_reconnection_the_server_hears_what_is_frozen() -> None:
    """hello carries the absolute state of the freezes."""
    model = plain()
    with probe.attach(model, adam(model), server=False) as run:
        run.freeze("head")
        (frozen,) = job_of(run).uplink.hello()["frozen"]
        assert frozen["parameters"] == [4, 5]
        assert (frozen["by"], frozen["since_step"], frozen["command"]) == ("python", 0, None)


@pytest.mark.parametrize("tensors", [1, 10, 300])
@pytest.mark.parametrize("kind", ["sample", "metric", "long names"])
def test_what_waits_is_counted_for_as_much_as_it_takes(kind: str, tensors: int) -> None:
    """In memory, as it lies there before it is made: not half as much, nor twice."""
    waiting, length = 400, 500 if kind == "long names" else 8
    model = plain()
    with probe.attach(model, adam(model), server=NOBODY) as run:
        uplink = job_of(run).uplink
        known = uplink.outbox.unstored
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for step in range(waiting):
                if kind == "sample":
                    values = {code: np.zeros(tensors, np.float32) for code in (1, 3)}
                    states = np.ones(tensors, np.uint8)
                    uplink.send_sample(Sample(step, 0.5 + step, states, values))
                else:
                    logged = {f"{number:0{length}d}": 0.5 + step for number in range(tensors)}
                    uplink.send_metrics(MetricValues(step, 0.5 + step, logged))
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        counted = uplink.outbox.unstored - known + waiting * OVERHEAD
    assert taken / 2 < counted < 2 * taken, (counted / waiting, taken / waiting)
