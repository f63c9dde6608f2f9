"""The hooks on the models: a forward begins, weights are loaded, and a model leads to its run."""

from __future__ import annotations

import pytest
import torch
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.session.model_hooks import ModelHooks
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, steps


def test_a_forward_with_gradients_ends_the_time_between_two_steps() -> None:
    """One without them, as in an evaluation, does not."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        state = job_of(run).state
        with torch.no_grad():
            model(torch.ones(4, 6))
        assert state.between
        model(torch.ones(4, 6))
        assert not state.between


def test_a_model_leads_to_the_run_that_is_attached() -> None:
    """And to none once that is detached."""
    model, optimizer = chain(SGD)
    models = {"": model}
    assert ModelHooks.find(models) is None
    with probe.attach(model, optimizer, server=False) as run:
        assert ModelHooks.find(models) is job_of(run).model_hooks
    assert ModelHooks.find(models) is None


def test_gates_on_parameters_are_decided_before_the_forward() -> None:
    """So that what they block costs no work; as soon as that is over it is trainable again."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:stem.bias")
        inside: list[bool] = []
        model.stem.register_forward_hook(lambda *_: inside.append(model.stem.bias.requires_grad))
        model(torch.ones(4, 6))
        assert inside == [False]
        assert model.stem.bias.requires_grad


def test_weights_that_are_loaded_are_looked_at_at_once() -> None:
    """Who wrote to a frozen parameter is known though the step comes later."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        steps(model, optimizer, 1, 1)
        model.load_state_dict({n: value + 1 for n, value in model.state_dict().items()})
        steps(model, optimizer, 2, 2)
        assert all(info.frozen for info in run.parameters() if info.name.startswith("head"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dynamo_traces_nothing_of_how_the_backward_is_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it traces a forward as a whole; else it is told that one begins."""
    began: list[bool] = []

    def begins(self: BackwardTimer, model: torch.nn.Module) -> None:
        began.append(torch.compiler.is_compiling())

    monkeypatch.setattr(BackwardTimer, "forward_begins", begins)
    torch._dynamo.reset()
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1):
        model(torch.ones(4, 6))
        assert began == [False]
        torch.compile(lambda x: model(x), backend="eager", fullgraph=True)(torch.ones(4, 6))
    assert began == [False]
