"""Explanations of a live job: who asks, which step answers, and what ought to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.diagnosis.modules import ModuleCalls
from gradgate.probe.diagnosis.trace import Trace
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.live import schedule
from gradgate.probe.live.expectations import PATIENCE as EXPECTED_PATIENCE
from gradgate.probe.live.missing import PATIENCE
from gradgate.probe.live.schedule import TraceSchedule
from gradgate.probe.measure.pace import Pace
from gradgate.probe.model.commands import ExplainCommand, Report
from gradgate.probe.session.run import job_of


class Switchable(nn.Module):
    """Two layers, with a detach in between that can be switched on."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)
        self.cut = False

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.encoder(x))
        return self.head(h.detach() if self.cut else h)  # type: ignore[no-any-return]


class Loop:
    """A job that makes steps when it is told to."""

    def __init__(
        self,
        model: nn.Module | None = None,
        optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        **options: Any,
    ) -> None:
        torch.manual_seed(0)
        self.model = model or Switchable()
        self.optimizer = optimizer(self.model.parameters())  # type: ignore[call-arg]
        self.run = probe.attach(self.model, self.optimizer, server=False, every=1, **options)

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.optimizer.zero_grad()
            self.model(torch.randn(3, 4)).square().mean().backward()
            self.optimizer.step()

    def ask(self, number: int, target: str) -> None:
        """Let the server ask for an explanation."""
        job_of(self.run).queue.submit(ExplainCommand(target, by="server", id=number))

    @property
    def causes(self) -> dict[str, str]:
        return {name: found.cause for name, found in self.run.explanations().items()}


Sent = tuple[int | None, str, int | None, list[int]]
"""Of what is sent: the command, the state of a report or ``explanations``, step, parameters."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Collect the explanations and the reports that are sent."""
    found: list[Sent] = []

    def send_explanations(_: Uplink, told: Mapping[str, Any]) -> None:
        indexes = [each["parameter"] for each in told["explanations"]]
        found.append((told["command"], "explanations", told["step"], indexes))

    def send_report(_: Uplink, report: Report) -> None:
        found.append((report.command.id, report.state.value, report.step, report.parameters))

    monkeypatch.setattr(Uplink, "send_explanations", send_explanations)
    monkeypatch.setattr(Uplink, "send_report", send_report)
    return found


def traced(sent: list[Sent]) -> list[int | None]:
    """The steps whose explanations were sent."""
    return [step for _, kind, step, _ in sent if kind == "explanations"]


CUT = {"encoder.weight": "detached", "encoder.bias": "detached"}


def test_the_next_step_answers(sent: list[Sent]) -> None:
    """Asked between two steps, the step that comes is traced, and no other."""
    loop = Loop()
    loop.model.cut = True
    loop.run.explain()
    loop.step()
    assert loop.causes == CUT
    loop.model.cut = False
    loop.step(3)
    assert loop.causes == CUT
    loop.run.explain()
    loop.step()
    assert loop.causes == {}
    assert traced(sent) == [1, 5]


def test_what_an_optimizer_holds_is_well_though_no_model_has_it() -> None:
    """Layers in a plain list may have been given to the optimizer by hand."""

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(4, 4)]
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layers[0](x))  # type: ignore[no-any-return]

    loop = Loop(Listed())
    loop.run.explain()
    loop.step()
    assert set(loop.causes.values()) == {"not_in_optimizer"}
    loop.optimizer.add_param_group({"params": loop.model.layers[0].parameters()})
    loop.run.explain()
    loop.step()
    assert loop.causes == {}


def test_what_no_optimizer_holds_is_explained_where_one_holds_the_rest() -> None:
    """One that holds nothing of the model may hold copies, so in two steps nothing is sure."""
    loop = Loop()
    for held, causes in ((loop.model.encoder.parameters(), {"not_in_optimizer"}), ([], set())):
        loop.optimizer.param_groups[0]["params"] = list(held)
        job_of(loop.run).measurement.members.refresh()
        loop.step()
        loop.run.explain()
        loop.step()
        assert set(loop.causes.values()) == causes


def test_asking_for_what_is_not_there_is_refused() -> None:
    """The message names the nearest."""
    with pytest.raises(probe.TargetError, match=r"did you mean 'encoder"):
        Loop().run.explain("encodr")


def test_tracing_every_step_changes_no_bit() -> None:
    """Weights are those of a run that nobody asked anything."""
    asked, quiet = Loop(), Loop()
    torch.manual_seed(2)
    for _ in range(10):
        asked.run.explain()
        asked.step()
    torch.manual_seed(2)
    quiet.step(10)
    for mine, other in zip(asked.model.parameters(), quiet.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_job_looks_by_itself_when_a_gradient_is_lost(sent: list[Sent]) -> None:
    """After some samples without, once; and not again while it stays so."""
    loop = Loop()
    loop.step(5)
    assert traced(sent) == []
    loop.model.cut = True
    loop.step(PATIENCE)
    assert traced(sent) == []
    loop.step()
    assert loop.causes == CUT
    assert sent[0][0] is None
    loop.step(10)
    assert len(traced(sent)) == 1


def test_what_is_lost_again_is_explained_again_but_not_too_often(
    monkeypatch: pytest.MonkeyPatch, sent: list[Sent]
) -> None:
    """Between two traces that nobody asked for the job rests."""
    loop = Loop()
    for cut in (True, False, True):
        loop.model.cut = cut
        loop.step(PATIENCE + 1)
    assert len(traced(sent)) == 1
    monkeypatch.setattr(schedule, "PAUSE", 0.0)
    loop.step()
    loop.step()
    assert len(traced(sent)) == 2


def test_a_compiled_model_is_traced_on_request_only(sent: list[Sent]) -> None:
    """A step that runs eagerly has other last bits, so nobody gets it unasked."""
    model = Switchable()
    model.cut = True
    loop = Loop(model)
    model.compile(backend="eager")
    loop.step(PATIENCE + 3)
    assert traced(sent) == []
    loop.run.explain()
    loop.step()
    assert loop.causes == CUT


def test_a_frozen_encoder_with_a_fused_path_is_traced_on_request_only(sent: list[Sent]) -> None:
    """Its padded positions would be computed otherwise, so nobody gets that unasked."""
    model = Switchable()
    model.cut = True
    model.teacher = nn.TransformerEncoderLayer(4, 1, 4, batch_first=True).requires_grad_(False)
    loop = Loop(model)
    model.teacher.eval()
    loop.step(PATIENCE + 3)
    assert traced(sent) == []
    loop.run.explain()
    loop.step()
    assert loop.causes.items() >= CUT.items()


def test_strict_fails_a_compiled_job_with_the_cause() -> None:
    """It is about to fail, so it may well be traced."""
    model = Switchable()
    model.cut = True
    loop = Loop(model, expect=["encoder"], strict=True)
    model.compile(backend="eager")
    with pytest.raises(probe.ExpectationError, match="detached"):
        loop.step(EXPECTED_PATIENCE + 1)


def test_a_command_is_answered_before_it_is_called_applied(sent: list[Sent]) -> None:
    """It is delivered at once, and applied at the traced step, to what was explained."""
    loop = Loop()
    loop.model.cut = True
    loop.ask(7, "encoder")
    loop.ask(8, "nothing")
    loop.step(2)
    assert sent[:2] == [(7, "delivered", None, []), (8, "delivered", None, [])]
    assert sent[2] == (8, "rejected", 1, [])
    assert sent[3:] == [(7, "explanations", 2, [0, 1]), (7, "applied", 2, [0, 1])]


def test_a_step_with_several_losses_and_accumulation_is_one_trace() -> None:
    """All backwards between two boundaries belong to the step."""
    loop = Loop()
    loop.model.cut = True
    loop.run.explain()
    loop.optimizer.zero_grad()
    for _ in range(2):
        loop.model(torch.randn(3, 4)).square().mean().backward()
    loop.model.cut = False
    loop.model.encoder(torch.randn(3, 4)).sum().backward()
    loop.optimizer.step()
    assert loop.causes == {}


def test_freezes_and_gates_are_causes() -> None:
    """While they are active the rest is still explained."""
    loop = Loop()
    loop.run.freeze("head.bias")
    loop.run.gate("output:encoder")
    loop.run.explain()
    loop.step(2)
    assert loop.causes == {
        "encoder.weight": "gated",
        "encoder.bias": "gated",
        "head.bias": "frozen_by_command",
    }
    assert "Gate 1" in loop.run.explanations()["encoder.weight"].detail


def test_detach_ends_a_trace() -> None:
    """Nothing of it is left on the thread."""
    loop = Loop()
    loop.run.explain()
    loop.run.detach()
    assert torch.overrides._len_torch_function_stack() == 0  # type: ignore[attr-defined]


def test_what_was_expected_to_train_and_does_not_is_an_alert() -> None:
    """It names the parameter, since when, and once that is known the cause; then it goes."""
    loop = Loop(expect=["encoder.*"])
    loop.step(3)
    assert loop.run.alerts() == []
    loop.model.cut = True
    loop.step(EXPECTED_PATIENCE)
    assert [(a.name, a.since_step, a.cause) for a in loop.run.alerts()] == [
        ("encoder.weight", 4, None),
        ("encoder.bias", 4, None),
    ]
    loop.step()
    assert {alert.cause for alert in loop.run.alerts()} == {"detached"}
    loop.model.cut = False
    loop.step()
    assert loop.run.alerts() == []


def test_what_a_command_froze_is_no_alert() -> None:
    """Somebody wished it; what the script froze behind its own back is one."""
    loop = Loop(expect=["*"])
    loop.run.freeze("encoder")
    loop.step(4)
    assert loop.run.alerts() == []
    loop.model.head.bias.requires_grad_(False)
    loop.model.head.bias.grad = None
    loop.step(4)
    assert [(a.name, a.cause) for a in loop.run.alerts()] == [("head.bias", "frozen_by_script")]


def test_strict_fails_the_job_and_names_the_cause() -> None:
    """The error comes out of ``optimizer.step()`` once the cause is known."""
    loop = Loop(expect=["encoder"], strict=True)
    loop.model.cut = True
    with pytest.raises(probe.ExpectationError, match=r"2 alerts.* `detach\(\)` at .*detached"):
        loop.step(EXPECTED_PATIENCE + 1)


def one_cut_step(error: type[Exception] | None = None) -> None:
    """A strict run of one step in which the encoder gets nothing; then, perhaps, an error."""
    loop = Loop(expect=["encoder"], strict=True)
    loop.model.cut = True
    with loop.run:
        loop.step()
        if error is not None:
            raise error


def test_strict_fails_a_short_run_at_its_end() -> None:
    """One sample is enough when no more will come; an error of the job's own goes before it."""
    with pytest.raises(probe.ExpectationError, match=r"`encoder.weight` is absent since step 1"):
        one_cut_step()
    with pytest.raises(KeyError):
        one_cut_step(KeyError)


def test_a_run_that_is_well_passes_in_strict_mode() -> None:
    """Nothing is raised, during the run or at its end."""
    loop = Loop(expect=["*"], strict=True)
    with loop.run:
        loop.step(5)


@pytest.mark.parametrize(
    ("expect", "error", "message"),
    [
        (["encodr.*"], probe.TargetError, "did you mean"),
        ("encoder", ValueError, "give a list"),
    ],
)
def test_an_expectation_that_names_nothing_is_refused(
    expect: Any, error: type[Exception], message: str
) -> None:
    """At attach, with a sentence that says what to give."""
    with pytest.raises(error, match=message):
        Loop(expect=expect)


def test_a_traced_step_does_not_slow_the_pace_of_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tracing takes is no part of what a sample is taken to cost."""
    recorded: list[int] = []
    monkeypatch.setattr(Pace, "record", lambda _, step, *given, **more: recorded.append(step))
    loop = Loop()
    loop.step(5)
    loop.run.explain()
    loop.step(3)
    assert recorded[-3:] == [5, 7, 8]
    loop.ask(1, "*")  # taken up at the end of step 9, which begins the trace of the next
    loop.step(3)
    assert recorded[-2:] == [8, 11]


def test_commands_are_rejected_when_the_trace_fails(
    sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would wait for ever, and the next one is answered."""
    monkeypatch.delenv("GRADGATE_STRICT")
    loop = Loop()
    loop.ask(1, "encoder")
    loop.ask(2, "head")
    with monkeypatch.context() as broken:
        broken.setattr(Trace, "explain", lambda *_: 1 / 0)
        loop.step(2)
    assert sent[2:] == [(1, "rejected", 2, []), (2, "rejected", 2, [])]
    loop.ask(3, "*")
    loop.step(2)
    assert sent[4:] == [
        (3, "delivered", None, []),
        (3, "explanations", 4, []),
        (3, "applied", 4, []),
    ]


def test_a_step_that_ends_inside_a_backward_is_explained_at_the_next_forward(
    sent: list[Sent],
) -> None:
    """The recorder cannot be taken away inside of one; the optimizer steps in a hook there."""
    loop = Loop()
    loop.model.cut = True
    head = loop.model.head.weight
    hook = head.register_post_accumulate_grad_hook(lambda _: loop.optimizer.step())
    loop.run.explain()
    loop.model(torch.ones(3, 4)).sum().backward()
    assert traced(sent) == []
    hook.remove()
    loop.model(torch.ones(3, 4))
    assert traced(sent) == [1]
    assert loop.causes.items() >= CUT.items()


def test_the_schedule_is_not_asked_while_a_trace_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may dismiss its reason when it is asked, and a trace that ends late is running still."""
    asked: list[TraceSchedule] = []
    monkeypatch.setattr(TraceSchedule, "wants_trace", lambda each: not asked.append(each))
    loop = Loop()
    loop.step()
    head = loop.model.head.weight
    head.register_post_accumulate_grad_hook(lambda _: loop.optimizer.step())
    loop.model(torch.ones(3, 4)).sum().backward()
    loop.run.detach()
    assert len(asked) == 1


class Decaying(torch.optim.SGD):
    """An optimizer that shrinks every parameter, whether it has a gradient or not."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(0.9)


def test_an_optimizers_own_step_is_not_traced() -> None:
    """Else what it writes would pass for a gradient that the script applied by hand."""
    loop = Loop(optimizer=Decaying)
    loop.run.explain()
    loop.model(torch.ones(3, 4)).sum().backward()
    loop.model.head.zero_grad()
    loop.optimizer.step()
    assert loop.causes == {"head.weight": "no_backward", "head.bias": "no_backward"}


def test_commands_are_rejected_when_what_was_found_cannot_be_sent(
    sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far the answer had come."""
    monkeypatch.delenv("GRADGATE_STRICT")
    monkeypatch.setattr(Uplink, "send_explanations", lambda *_: 1 / 0)
    loop = Loop()
    loop.ask(1, "encoder")
    loop.step(2)
    assert [(number, state) for number, state, *_ in sent] == [(1, "delivered"), (1, "rejected")]


def test_commands_are_rejected_when_the_trace_cannot_begin(
    sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the trace stays, and the step is made as if nobody had asked."""
    monkeypatch.delenv("GRADGATE_STRICT")
    loop = Loop()
    before = torch.from_numpy
    loop.ask(1, "encoder")
    with monkeypatch.context() as broken:
        broken.setattr(ModuleCalls, "start", lambda _: 1 / 0)
        loop.step(2)
    assert torch.from_numpy is before
    assert sent[-1][:2] == (1, "rejected")
    assert traced(sent) == []


def test_a_parameter_that_cannot_be_judged_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its neighbours are explained; the owner of one could not be found."""
    monkeypatch.delenv("GRADGATE_STRICT")
    loop = Loop()
    loop.model.cut = True
    owners = Trace.owners

    def failing(trace: Trace, names: list[str]) -> tuple[str, ...]:
        if "encoder.bias" in names:
            raise KeyError("mine")
        return owners(trace, names)

    monkeypatch.setattr(Trace, "owners", failing)
    loop.run.explain()
    loop.step()
    assert loop.causes == {"encoder.weight": "detached"}


def test_a_run_without_an_optimizer_has_none_to_be_missing_from() -> None:
    """Its script applies the gradients."""
    model = Switchable()
    with probe.attach(model, server=False, every=1) as run:
        run.explain()
        model(torch.ones(3, 4)).sum().backward()
        run.step()
        assert run.explanations() == {}
        model.cut = True
        model.zero_grad()
        run.explain()
        model(torch.ones(3, 4)).sum().backward()
        run.step()
        assert {name: each.cause for name, each in run.explanations().items()} == CUT


@pytest.mark.parametrize("cleared_by", ["optimizer", "model"])
def test_a_gradient_that_the_script_clears_has_the_scripts_line(cleared_by: str) -> None:
    """Also where a wrapper of the run's own stands in between."""
    loop = Loop(nn.Linear(4, 4))
    loop.run.explain()
    for _ in range(2):
        loop.model(torch.randn(3, 4)).square().mean().backward()
        getattr(loop, cleared_by).zero_grad()
        loop.optimizer.step()
    found = loop.run.explanations()["weight"]
    loop.run.detach()
    assert found.cause == "no_backward"
    assert found.source is not None
    meant = found.source.lines[found.source.line - found.source.first]
    assert "getattr(loop, cleared_by).zero_grad()" in meant


def test_who_asks_is_answered_by_a_step_in_which_each_optimizer_takes_part() -> None:
    """A generator that steps once in three steps of its critic misses nothing in the others."""
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
    generator.register_parameter("spare", nn.Parameter(torch.ones(1)))
    models = {"generator": generator, "critic": critic}
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models.values()]
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for number in range(8):
            if number == 2:
                run.explain()
            for model in models.values():
                model.zero_grad()
            critic(generator(torch.ones(1, 2)).detach()).sum().backward()
            optimizers[1].step()
            if number % 3 == 0:
                critic(generator(torch.ones(1, 2))).sum().backward()
                optimizers[0].step()
            found = {name: why.cause for name, why in run.explanations().items()}
            assert set(found) <= {"generator.spare"}
    assert found == {"generator.spare": "parameter_not_used"}


@pytest.mark.parametrize("steps_of_critic", [1, 2, 3, 5])
@pytest.mark.parametrize("asked_in", range(4))
def test_an_optimizer_that_steps_again_is_explained_by_the_backward_before_it(
    steps_of_critic: int, asked_in: int
) -> None:
    """What tells that a round is over is its next step, whose backward the trace has not seen."""
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
    for model in (generator, critic):
        model.register_parameter("spare", nn.Parameter(torch.ones(1)))
    models = {"generator": generator, "critic": critic}
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models.values()]
    with probe.attach(models, optimizers, server=False, every=1) as run:
        asked = 0
        for _ in range(8):
            for _ in range(steps_of_critic):
                if asked == asked_in:
                    run.explain()
                asked += 1
                critic.zero_grad()
                critic(torch.ones(1, 2)).sum().backward()
                (-critic(torch.zeros(1, 2))).sum().backward()  # which takes from the bias again
                optimizers[1].step()
            generator.zero_grad()
            critic(generator(torch.ones(1, 2))).sum().backward()
            optimizers[0].step()
        found = {name: why.cause for name, why in run.explanations().items()}
    spare = {"generator.spare": "parameter_not_used", "critic.spare": "parameter_not_used"}
    assert found == {**spare, "critic.bias": "zero_gradient"}


def test_a_module_that_some_steps_leave_out_is_told_with_the_step_that_did_not() -> None:
    """The latest that was seen, where there was one: it may be meant."""
    experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    optimizer = torch.optim.SGD(experts.parameters(), lr=0.1)

    def step(chosen: int) -> None:
        optimizer.zero_grad()
        experts[chosen](torch.ones(1, 2)).sum().backward()
        optimizer.step()

    with probe.attach(experts, optimizer, server=False, every=1) as run:
        for chosen in (0, 1, 0):
            step(chosen)
        run.explain()
        step(0)
        told = run.explanations()
    assert told["1.weight"].detail.endswith("in this step; in step 2 it had a useful gradient.")
    assert "expert" in told["1.weight"].advice
    assert told["2.weight"].detail.endswith("in this step.")


def test_weights_are_looked_at_once_for_samples_that_come_together() -> None:
    """Looked at three times at one moment they would have lain still for three steps."""
    others = Switchable()
    loop = Loop()
    optimizer = torch.optim.SGD(others.parameters(), 0.1)
    loop.run.detach()
    run = probe.attach(loop.model, optimizer, server=False, every=1)
    loop.optimizer.zero_grad()
    loop.model(torch.randn(3, 4)).square().mean().backward()
    optimizer.step()
    job = job_of(run)
    latest = job.measurement.latest.sample
    assert latest is not None
    held = job.measurement.members.in_optimizer
    job.explainer.receive([replace(latest, step=step) for step in range(2, 5)], (), held)
    assert run.alerts() == []
    for step in range(5, 8):
        job.explainer.receive([replace(latest, step=step)], (), held)
    assert [alert.cause for alert in run.alerts()] == ["not_in_optimizer"]
    run.detach()


def test_a_fault_in_one_of_several_samples_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is told of the last is told."""
    monkeypatch.delenv("GRADGATE_STRICT")
    loop = Loop()
    loop.step()
    job = job_of(loop.run)
    latest = job.measurement.latest.sample
    assert latest is not None
    seen: list[int] = []

    def receive(_: TraceSchedule, sample: Any, *, expectation_broken: bool) -> None:
        seen.append(sample.step)
        if sample.step == 2:
            raise ValueError("this one")

    monkeypatch.setattr(TraceSchedule, "receive", receive)
    samples = [replace(latest, step=step) for step in range(2, 5)]
    job.explainer.receive(samples, (), job.measurement.members.in_optimizer)
    assert (seen, job.guard.faults) == ([2, 3, 4], 1)
    loop.run.detach()
