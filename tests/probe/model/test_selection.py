"""What a target names in a model that changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from tests.support import zoo
from tests.support.growing import (
    adam,
    by_name,
    plain,
    train,
)


def test_a_freeze_leaves_out_what_comes_later() -> None:
    """A parameter that joins a frozen module is frozen by a new command, not by the earlier."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        model.head.scale = nn.Parameter(torch.ones(3))
        optimizer.add_param_group({"params": [model.head.scale]})
        optimizer.zero_grad()
        (zoo.loss_of(model, 1) + model.head.scale.sum()).backward()
        optimizer.step()
        states = {name: info.state for name, info in by_name(run).items()}
        assert states["head.scale"] == "present"
        assert states["head.weight"] == "frozen"
        assert run.freeze("head") == ("head.weight", "head.bias", "head.scale")


def test_a_target_means_what_is_in_the_model() -> None:
    """A module's path and a glob leave out replaced parameters, whose new name is no target."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        model.head.bias = nn.Parameter(torch.zeros(3))
        train(model, optimizer, step=2)
        assert run.freeze("head") == ("head.weight", "head.bias")
        assert run.thaw("head.*") == ("head.weight", "head.bias")
        assert "head.bias (replaced at step 2)" in by_name(run)
        with pytest.raises(probe.TargetError, match="matches no parameter"):
            run.freeze("head.bias (replaced at step 2)")
