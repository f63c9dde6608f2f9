"""Names of modules may be any string, and all that is told of them is what a server takes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from gradgate import probe
from gradgate.probe.link.frames import encode_json
from gradgate.probe.link.server_messages import Message
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.session.run import job_of
from gradgate.server.live.ingest import decode_frame, parse_hello

ODD = ["a\0b", "\udc80", "\udc81", "layer" * 200, "🙂" * 600]


class Odd(nn.Module):
    """Layers whose names no server takes, of which some get no gradient."""

    def __init__(self) -> None:
        super().__init__()
        for name in ODD:
            self.add_module(name, nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
        self.shared = nn.ModuleList([getattr(self, ODD[0])] * 300)

    def forward(self, x: Tensor) -> Tensor:
        for name in ODD[:-1]:
            x = getattr(self, name)(x)
            x = x.detach() if name == ODD[1] else x
        return x


@pytest.mark.parametrize("preview", ["*", "a*", "layer*"])
def test_a_server_takes_all_that_is_told_of_odd_names(
    preview: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table, explanations, alerts, previews, freezes and gates: none ends the connection."""
    answers: list[Message] = []
    monkeypatch.setattr(Uplink, "answer", lambda _, message: answers.append(message))
    monkeypatch.setattr(Uplink, "_is_told", True)
    model = Odd()
    optimizer = AdamW(model.parameters(), lr=0.01)
    with probe.attach(model, optimizer, server=False, every=1, expect=["*"]) as run:
        uplink = job_of(run).uplink
        hello = encode_json(uplink.hello())
        run.explain("*")
        run.gate("output:shared.7", "norm > 0", "scale", factor=0.5)
        frozen = run.freeze("lay*", "no_grad", hold_stats=True)
        asked = {"type": "preview", "request": 1, "kind": "freeze", "mode": "no_grad"}
        options = {"target": preview, "hold_stats": False, "reset_state": False}
        for step in range(4):
            job_of(run).requests.receive({**asked, **options})
            optimizer.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            optimizer.step()
            if step == 1:
                setattr(model, ODD[2], nn.Linear(4, 4))
        told = [entry.frame for entry in uplink.outbox.take()]
        explained = run.explanations()
    assert any(ODD[3] in name for name in frozen)
    assert any(ODD[0] in name for name in explained)
    assert parse_hello(hello).type == "hello"
    kinds = {decode_frame(frame).type for frame in told if isinstance(frame, str)}
    assert {"parameters", "explanations", "alerts", "frozen", "gates", "report"} <= kinds
    assert answers
    for answer in answers:
        decode_frame(encode_json(answer))


def test_each_parameter_is_a_target_by_the_name_that_is_told() -> None:
    """The page freezes by the name that it shows, and thaws so."""
    model = Odd()
    optimizer = AdamW(model.parameters(), lr=0.01)
    with probe.attach(model, optimizer, server=False) as run:
        names = job_of(run).uplink.hello()["columns"]["names"]
        for name, (own, parameter) in zip(names, model.named_parameters(), strict=True):
            assert run.freeze(name) == (own,)
            assert not parameter.requires_grad
            assert run.thaw(name) == (own,)
            assert parameter.requires_grad
    assert len(set(names) & {name for name, _ in model.named_parameters()}) == 0
