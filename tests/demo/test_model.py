"""The demo's model has the troubles that it promises, and no others."""

from __future__ import annotations

from torch.nn import functional as F

from gradgate.probe.demo.digits import load
from gradgate.probe.demo.model import DigitModel
from gradgate.probe.demo.train import total_loss


def test_only_the_intended_parameters_get_no_gradient() -> None:
    """The momentum encoder, the detached branch and the unused projection get none."""
    model = DigitModel()
    batch = type(load())(*(tensor[:8] for tensor in load()))

    total_loss(model(batch.images), batch).backward()

    parameters = dict(model.named_parameters())
    assert 40 <= len(parameters) <= 70
    assert all(parameter.requires_grad for parameter in parameters.values())
    missing = {name.split(".")[0] for name, p in parameters.items() if p.grad is None}
    given = {name.split(".")[0] for name, p in parameters.items() if p.grad is not None}
    assert missing == {"momentum_encoder", "style", "projection"}
    assert given == {"encoder", "classifier", "decoder"}


def test_momentum_encoder_follows_the_encoder() -> None:
    """An update moves it by the share that the momentum leaves."""
    model = DigitModel()
    slow = model.momentum_encoder.stem[0].weight
    fast = model.encoder.stem[0].weight
    before = slow.detach().clone()
    fast.data.add_(1)

    model.update_momentum_encoder(momentum=0.75)

    assert F.mse_loss(slow, before + 0.25) < 1e-12
