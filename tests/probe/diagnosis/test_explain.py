"""``probe.explain`` in a script: what it leaves as it was, and what becomes of errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch
import torch._dynamo.testing
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.parallel import DistributedDataParallel

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.diagnosis.trace import Trace
from tests.support.forked import run_python
from tests.zoo.case import Case
from tests.zoo.healthy import CASES


class Cut(nn.Module):
    """An encoder behind a detach, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.encoder(x))
        h = h.detach()  # the cut
        return self.head(h)  # type: ignore[no-any-return]


CUT_LINE = Cut.forward.__code__.co_firstlineno + 2


NESTED = """
import torch
from torch import nn
from gradgate import probe

model = nn.Linear(4, 1)

def run(more):
    y = model(torch.ones(1, 4)).sum()

    def again(_):
        with torch.enable_grad():
            run(more - 1)

    if more:
        y.register_hook(again)
    y.backward()

run(80)
print(probe.explain(model, lambda: run(80)))
"""


def left_behind() -> object:
    """All that a trace puts in place for its time."""
    return (
        torch.overrides._len_torch_function_stack(),  # type: ignore[attr-defined]
        torch.from_numpy,
        torch.inference_mode.__enter__,
        "_make_subclass" in vars(Tensor),
        torch._dynamo.eval_frame._stance.stance,
        torch.autograd._engine_run_backward,
    )


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """After a trace all is as it was."""
    before = left_behind()
    yield
    assert left_behind() == before


def loss_of(model: nn.Module) -> Tensor:
    torch.manual_seed(1)
    return model(torch.randn(3, 4)).square().mean()  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_traced_step_has_every_bit_of_an_untraced_one(case: Case) -> None:
    """Gradients and the state of the random numbers are the same."""
    plain = case.job()
    plain.closure()
    after = torch.get_rng_state()
    traced = case.job()
    trace = Trace({}, traced.parameters().values(), Guard())
    trace.start()
    traced.closure()
    trace.stop()
    assert torch.equal(after, torch.get_rng_state())
    for mine, other in zip(traced.parameters().values(), plain.parameters().values(), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        assert torch.equal(mine.grad.to_dense(), other.grad.to_dense())


def test_gradients_are_put_back() -> None:
    """What was there before is there again, the same objects, and None where there was none."""
    model = Cut()
    kept = torch.ones(4, 4)
    model.encoder.weight.grad = kept
    probe.explain(model, lambda: loss_of(model).backward())
    assert model.encoder.weight.grad is kept
    assert torch.equal(kept, torch.ones(4, 4))
    assert model.head.weight.grad is None


def test_a_backward_on_what_carries_no_gradient_is_explained() -> None:
    """The error that people come with is not raised again, but answered."""
    model = nn.Linear(4, 2)

    def closure() -> None:
        with torch.no_grad():
            loss = loss_of(model)
        loss.backward()

    assert {found.cause for found in probe.explain(model, closure).values()} == {"no_grad"}


def test_other_errors_go_on_to_the_caller() -> None:
    """An error of the closure's own is raised as it is."""
    model = Cut()

    def closure() -> None:
        loss_of(model)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        probe.explain(model, closure)


def test_what_is_no_model_is_refused() -> None:
    """The message says what was given and what is wanted."""
    with pytest.raises(probe.AttachError, match="is a list"):
        probe.explain([nn.Linear(1, 1)], lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_explained_and_stays_compiled(backend: str) -> None:
    """The traced step runs eagerly, and the next one the code that was compiled before."""
    compiled = torch._dynamo.testing.CompileCounterWithBackend(backend)
    inner = Cut()
    model = torch.compile(inner, backend=compiled)
    loss_of(model).backward()
    before = compiled.frame_count
    found = probe.explain(model, lambda: loss_of(model).backward())
    assert {name: each.cause for name, each in found.items()} == {
        "_orig_mod.encoder.weight": "detached",
        "_orig_mod.encoder.bias": "detached",
    }
    where = found["_orig_mod.encoder.weight"].where
    assert where is not None
    assert where.endswith(f"test_explain.py:{CUT_LINE}")
    loss_of(model).backward()
    assert compiled.frame_count == before


def test_a_mode_of_the_users_may_end_while_a_trace_goes_on() -> None:
    """``with torch.device`` takes its own mode off, whatever was started inside of it."""
    model = Cut()
    trace = Trace({"": model}, model.parameters(), Guard())
    with torch.device("meta"):
        trace.start()
        assert torch.empty(1).is_meta
    assert not torch.empty(1).is_meta
    with torch.device("meta"):
        trace.stop()
        assert torch.empty(1).is_meta
    assert not torch.empty(1).is_meta


@pytest.mark.usefixtures("alone")
def test_a_distributed_model_is_explained() -> None:
    """The wrapper hides neither the cause nor the line."""
    model = DistributedDataParallel(Cut(), find_unused_parameters=True)
    found = probe.explain(model, lambda: loss_of(model).backward())
    assert {name: each.cause for name, each in found.items()} == {
        "module.encoder.weight": "detached",
        "module.encoder.bias": "detached",
    }


def test_no_hook_stays_on_a_module() -> None:
    """Every module has the hooks that it had."""
    model = Cut()
    probe.explain(model, lambda: loss_of(model).backward())
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._forward_hooks_always_called


def test_the_path_ends_where_the_gradient_does() -> None:
    """From the loss through the head to the cut; behind it nothing flows."""
    model = Cut()
    found = probe.explain(model, lambda: loss_of(model).backward())["encoder.weight"]
    assert [(each.label, each.flow) for each in found.path] == [
        ("loss", "flows"),
        ("head", "flows"),
        ("detach()", "stops"),
        ("encoder", "none"),
        ("encoder.weight", "none"),
    ]
    assert found.source is not None
    meant = found.source.lines[found.source.line - found.source.first]
    assert meant.endswith("# the cut")


def test_a_hook_that_makes_zeros_is_named() -> None:
    """Neither the operation before nor the one behind is to blame."""
    model = Cut()

    def closure() -> None:
        h = model.encoder(torch.ones(3, 4))
        h.register_hook(torch.zeros_like)
        model.head(h).sum().backward()

    found = probe.explain(model, closure)["encoder.weight"]
    assert found.cause == "zero_gradient"
    assert "hook" in found.detail


def test_a_hook_that_makes_nan_is_named() -> None:
    """The gradient was finite before it, and nothing behind it ran."""
    model = nn.Linear(4, 2)
    model.weight.register_hook(lambda gradient: gradient * float("nan"))
    found = probe.explain(model, lambda: loss_of(model).backward())
    assert {name: each.cause for name, each in found.items()} == {"weight": "nonfinite"}
    assert "hook" in found["weight"].detail


def test_a_backward_that_begins_with_nan_is_told_so() -> None:
    """The scale, or the gradient given, is to blame."""
    model = nn.Linear(4, 2)
    found = probe.explain(model, lambda: loss_of(model).backward(torch.tensor(float("nan"))))
    assert found["weight"].cause == "nonfinite"
    assert "began with NaN" in found["weight"].detail


def test_an_empty_batch_is_told_so() -> None:
    """All of its gradient is zeros."""
    model = nn.Linear(4, 2)
    found = probe.explain(model, lambda: model(torch.ones(0, 4)).sum().backward())
    assert found["weight"].cause == "zero_gradient"
    assert "is empty" in found["weight"].detail


def test_a_gradient_that_nobody_stored_is_told_so() -> None:
    """``autograd.grad`` returned it, and that was that."""
    model = nn.Linear(4, 2)
    found = probe.explain(model, lambda: torch.autograd.grad(loss_of(model), model.weight))
    assert found["weight"].cause == found["bias"].cause == "no_backward"
    assert "nothing put it into its `.grad`" in found["weight"].detail
    assert "is not one of them" in found["bias"].detail


def test_the_last_bias_of_a_gradient_penalty_is_told_so() -> None:
    """No gradient of the output depends on it."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))

    def closure() -> None:
        x = torch.ones(3, 4, requires_grad=True)
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        slope.square().sum().backward()

    found = probe.explain(model, closure)
    assert {name: each.cause for name, each in found.items()} == {"2.bias": "not_in_loss"}
    assert "does not depend on it" in found["2.bias"].detail


def test_a_gradient_that_was_cleared_before_the_step_is_told_so() -> None:
    """``zero_grad`` between backward and step is the place."""
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters())

    def closure() -> None:
        loss_of(model).backward()
        optimizer.zero_grad()

    line = closure.__code__.co_firstlineno + 2
    found = probe.explain(model, closure, optimizer)["weight"]
    assert found.cause == "no_backward"
    assert "cleared" in found.detail
    assert found.where is not None
    assert found.where.endswith(f":{line}")


def test_a_failing_trace_does_not_reach_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the tracer's own is logged, and the step is made as if nobody looked."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = nn.Linear(4, 2)
    trace = Trace({"": model}, model.parameters(), Guard())
    with monkeypatch.context() as broken, contextlib.ExitStack() as ended:
        broken.setattr("gradgate.probe.diagnosis.tensor_values.TensorValues.of", lambda *_: 1 / 0)
        trace.start()
        ended.callback(trace.stop)
        loss_of(model).backward()
    assert model.weight.grad is not None


@pytest.mark.parametrize("aside", [False, True])
def test_a_closure_that_makes_its_step_itself_is_healthy(aside: bool) -> None:
    """Zeros of gradients that the weights have taken up are no fault, however they were written."""
    model = nn.Linear(2, 1)

    def closure() -> None:
        model(torch.ones(3, 2)).sum().backward()
        for parameter in model.parameters():
            assert parameter.grad is not None
            if aside:
                parameter.data -= 0.1 * parameter.grad.data
            else:
                with torch.no_grad():
                    parameter -= 0.1 * parameter.grad
            parameter.grad.zero_()

    assert probe.explain(model, closure) == {}


class Two(nn.Module):
    """A layer that is used, and one whose result goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        return self.used(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["backward", "grad"])
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_backward_from_an_edge_is_explained_as_one_from_its_tensor(
    how: str, factor: float
) -> None:
    """The tensor may be gone by then: stages of pipelines let theirs go once they are sent."""
    told = []
    for root in (lambda tensor: tensor, get_gradient_edge):
        model = Two()

        def step(model: nn.Module = model, root: Callable[[Tensor], object] = root) -> None:
            begin = root(model(torch.ones(3, 4)))
            given = torch.full((3, 2), factor)
            if how == "backward":
                torch.autograd.backward([begin], [given])  # type: ignore[list-item]
                return
            parameters = [*model.parameters()]
            edges = [get_gradient_edge(parameter) for parameter in parameters]
            got = torch.autograd.grad([begin], edges, [given], allow_unused=True)  # type: ignore[call-overload]
            for parameter, grad in zip(parameters, got, strict=True):
                parameter.grad = grad

        explained = probe.explain(model, step)
        told.append({name: (each.cause, each.detail) for name, each in explained.items()})
    assert told[0] == told[1]
    assert told[0]["unused.weight"][0] == "not_in_loss"
    assert ("used.weight" in told[0]) == (factor == 0)


@pytest.mark.parametrize("size", [2, 100])
def test_a_step_with_memory_that_was_given_back_is_traced(size: int) -> None:
    """To read it would end the process; sharded models hand such tensors to torch's functions."""
    model = Two()
    gone = torch.ones(size)
    gone.untyped_storage().resize_(0)

    def step() -> None:
        scale = float(torch.ones(1) / 3)  # from here on numbers are looked for in small tensors
        gone.untyped_storage()
        (model(torch.ones(3, 4)).sum() * scale).backward()

    assert probe.explain(model, step)["unused.weight"].cause == "not_in_loss"


def test_backwards_nest_as_deep_in_a_traced_step_as_without() -> None:
    """No frame of Gradgate's is around each of them, for which Python's stack has no room.

    In a process of its own: torch starts threads for them, and no fork of it could train any more.
    """
    job = run_python("-c", NESTED, timeout=60)
    assert (job.returncode, job.stdout) == (0, "{}\n"), job.stderr


def test_a_second_order_loss_is_told_by_the_function_that_was_called() -> None:
    """And not by what torch calls inside of it."""
    model = nn.Linear(4, 1)

    def step() -> None:
        loss = model(torch.ones(1, 4)).square().sum()
        (slope,) = torch.autograd.grad(loss, [model.weight])
        (slope.sum() * torch.ones(1, requires_grad=True)).sum().backward()

    for each in probe.explain(model, step).values():
        assert "handle_torch_function" not in each.detail
        assert "`grad()`" in each.detail
