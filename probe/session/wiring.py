"""Makes the parts of a run, each after those that it needs."""

from __future__ import annotations

import atexit
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from ..base.guard import Guard
from ..base.listeners import Listeners
from ..distributed.ranks import Ranks
from ..distributed.whole_samples import WholeSamples
from ..freeze.freezer import Freezer
from ..freeze.optimizer_state import OptimizerState
from ..gates.gates import Gates
from ..gates.labels import ATTACHED
from ..link.address import ServerAddress
from ..link.server_messages import Message
from ..link.uplink import Identity, Uplink
from ..live.alerts import Alerts
from ..live.captured_steps import CapturedSteps
from ..live.expectations import Expectations
from ..live.expected import NOTHING, Expected
from ..live.explainer import Explainer
from ..live.failing_parts import FailingParts
from ..live.holding import Holding
from ..live.no_steps import NoSteps
from ..live.restraints import Restraints
from ..live.script_thaws import ScriptThaws
from ..live.unmeasured import Unmeasured
from ..measure.measurement import Measurement
from ..measure.pace import Pace
from ..measure.provenance import figures
from ..measure.total_looks import TotalLooks
from ..measure.totals import StepTotals
from ..model.commands import (
    ExplainCommand,
    FreezeCommand,
    GateCommand,
    ThawCommand,
    UngateCommand,
)
from ..model.dead_units import DeadUnits
from ..model.inner_optimizers import with_inner
from ..model.movement import Movement
from ..model.table import ParameterTable, TableRow
from ..notebook.frontend import Cell
from ..progress.progress import Progress
from ..progress.thresholds import DEFAULT, Thresholds
from ..spool.folder import SpoolFolder
from ..steer.explain_command import ExplainHandler
from ..steer.gate_commands import GateHandler, UngateHandler
from ..steer.gate_proofs import GateProofs
from ..steer.handler import Handlers
from ..steer.limits import Limits
from ..steer.no_grad_trial import NoGradTrials
from ..steer.observation import Observing
from ..steer.parameter_commands import FreezeHandler, Scene, ThawHandler
from ..steer.preview_requests import PreviewRequests
from ..steer.queue import CommandQueue
from ..steer.rank_agreement import RankAgreement
from ..steer.rank_verdicts import RankVerdicts
from ..steer.reports import Reports
from ..steer.saved_reports import SavedReports
from ..steer.steering import Steering
from ..steer.verification import Verification
from ..steer.writers import Writers
from ..torch_compat.wrappers import Wrappers
from .alignment import Alignment
from .boundaries import Boundaries
from .calm_steps import CalmSteps
from .checkpoint import Checkpoint
from .delivery import Delivery
from .hook_runner import HookRunner
from .job import Job, close_at_exit
from .judging import Judging
from .lull import Lull
from .model_hooks import ModelHooks
from .outlook import Outlook
from .run_state import RunState
from .script_commands import ScriptCommands
from .server_requests import ServerRequests
from .step_cycle import StepCycle
from .step_end import StepEnd
from .switches import switchable
from .unseen_steps import UnseenSteps


def make_job(
    models: Mapping[str, nn.Module],
    optimizers: Sequence[Optimizer],
    wrappers: Wrappers,
    undo: ExitStack,
    *,
    name: str,
    group: str | None = None,
    cell: Cell | None = None,
    server: ServerAddress | None,
    pace: Pace,
    expect: Expected = NOTHING,
    strict: bool = False,
    script_wins: bool = False,
    thresholds: Thresholds = DEFAULT,
    totals: bool | None = None,
    record: Path | None = None,
    folder: SpoolFolder | None = None,
    source: bool = True,
) -> Job:
    """Attach to models and optimizers, and connect to a server if there is one to tell.

    Parts that call each other are joined by listeners, which are made before both. ``undo`` is
    given what undoes each part that changes something, so that all is undone where one fails.
    """
    guard, state, numbers = Guard(), RunState(), count(1)
    table_changed: Listeners[Sequence[TableRow]] = Listeners()
    backward_ended: Listeners[[]] = Listeners()
    asked: Listeners[Message] = Listeners()
    no_step_told: Listeners[str | None] = Listeners()
    applied_inside: Listeners[[]] = Listeners()
    clipped: Listeners[[]] = Listeners()
    movement_seen: Listeners[Movement] = Listeners()
    units_seen: Listeners[DeadUnits] = Listeners()

    table = ParameterTable(models)
    expectations = Expectations(expect.trains, table, guard)
    restraints = Restraints(expect, table, models, guard)
    ranks = Ranks.join(guard, alone=wrappers.alone)
    if ranks is not None:
        undo.callback(guard.undo, ranks.leave)
    measurement = Measurement(
        models,
        optimizers,
        table,
        pace,
        guard,
        coming_step=state.coming_step,
        table_changed=table_changed.call,
        backward_ended=backward_ended.call,
        parts=None if ranks is None else WholeSamples(ranks, table),
    )
    undo.callback(guard.undo, measurement.remove)
    looks = TotalLooks(
        optimizers,
        table,
        measurement.members,
        guard,
        sampling=lambda: measurement.schedule.sampling,
        clipped=clipped.call,
    )
    table_changed.add(lambda _: looks.forget())
    step_totals = StepTotals(
        looks, measurement.schedule, lambda: measurement.members.applied_mask, wanted=totals
    )
    identity = Identity(
        secrets.token_hex(8),
        name,
        time.time(),
        state.process,
        figures(models, None if ranks is None else ranks.size),
        group=group,
        ranks=1 if ranks is None else ranks.size,
        compiled=wrappers.is_compiled(),
        expected=expect.as_message(),
    )
    uplink = Uplink(
        identity, measurement, guard, step=lambda: state.step, asked=asked.call, folder=folder
    )
    table_changed.add(uplink.send_table)
    alerts = Alerts(uplink.send_alerts, guard, strict=strict)
    alerts.add_source(expectations)
    alerts.add_source(restraints)
    movement_seen.add(restraints.receive_movement)
    reports = Reports(guard)
    reports.add_listener(uplink.send_report)

    freezer = Freezer(
        models,
        optimizers,
        table,
        guard,
        wrappers,
        script_wins=script_wins,
        backward_ended=backward_ended.call,
    )
    holding = Holding(
        table, measurement.members, optimizers, lambda: freezer.records.freezes.keys()
    )
    alerts.add_source(holding)
    no_steps = NoSteps(
        table,
        measurement.members,
        optimizers,
        guard,
        changed=no_step_told.call,
        applied_inside=applied_inside.call,
    )
    undo.callback(guard.undo, no_steps.remove)
    state.first_step.add(no_steps.step_seen)
    alerts.add_source(no_steps)
    no_step_told.add(lambda _: alerts.update())
    captured = CapturedSteps(no_step_told.call)
    alerts.add_source(captured)
    alerts.add_source(ScriptThaws(freezer, table))
    alerts.add_source(
        Unmeasured(table, measurement.latest, measurement.sampler.problems, ranks=identity.ranks)
    )
    gates = Gates.of(
        models,
        optimizers,
        table,
        measurement,
        freezer.calls,
        freezer.recomputations,
        guard,
        wrappers,
        ranks,
    )
    backward_ended.add(gates.runtime.backward_ended)
    progress = Progress(
        models,
        optimizers,
        table,
        measurement,
        ranks,
        wrappers,
        alerts,
        guard,
        thresholds,
        commanded=lambda: freezer.records.freezes,
        expected=expectations.expected,
        send_groups=uplink.send_optimizers,
    )
    undo.callback(guard.undo, progress.remove)
    movement_seen.add(progress.receive_movement)
    units_seen.add(progress.receive_dead_units)
    explainer = Explainer(
        models,
        table,
        measurement,
        freezer,
        gates.registry,
        holding,
        expectations,
        restraints,
        alerts,
        uplink,
        reports,
        guard,
        wrappers,
        progress.finding,
        source=source,
    )

    queue = CommandQueue(reports)
    no_step_told.add(queue.delay)
    agreement = RankAgreement(ranks, wrappers, reports, guard)
    observing = Observing(models, table, freezer, guard)
    trials = NoGradTrials(observing, reports, guard)
    writers = Writers(table)
    verification = Verification(
        table,
        writers,
        freezer.script_flags,
        freezer.conversions,
        lambda index: measurement.members.in_optimizer[index],
        guard,
    )
    limits = Limits(freezer.records, gates.registry, numbers)
    proofs = GateProofs(gates.registry, reports, guard)
    saved = SavedReports(reports)
    scene = Scene(table, models, freezer, agreement, trials, verification, saved, limits, reports)
    handlers: Handlers = {
        FreezeCommand: FreezeHandler(scene),
        ThawCommand: ThawHandler(scene, OptimizerState(with_inner(optimizers))),
        GateCommand: GateHandler(gates.registry, proofs, agreement, limits, reports),
        UngateCommand: UngateHandler(gates.registry, proofs, agreement, reports),
        ExplainCommand: ExplainHandler(table, explainer, reports),
    }
    verdicts = None if ranks is None else RankVerdicts(ranks, table, guard)
    steering = Steering(
        handlers,
        queue,
        trials,
        verification,
        verdicts,
        proofs,
        agreement,
        limits,
        freezer,
        reports,
        guard,
    )
    previews = PreviewRequests(table, optimizers, steering, observing, wrappers, guard)

    patient = not (alerts.strict or expect.frozen or expect.frozen_stats)
    delivery = Delivery(
        state,
        measurement,
        step_totals,
        uplink,
        Judging(
            progress,
            explainer,
            guard,
            patient=patient,
            frozen=lambda: freezer.records.freezes,
            held=lambda: measurement.members.in_optimizer,
        ),
        movement_seen,
        units_seen,
        guard,
    )
    lull = Lull(queue.waiting)
    clipped.add(lull.look)
    alignment = Alignment(state, lull, measurement, delivery, freezer, gates, uplink, guard)
    failing = FailingParts(guard, state.coming_step)
    outlook = Outlook(
        lull,
        measurement,
        step_totals,
        freezer.records,
        gates.registry,
        steering,
        previews,
        explainer,
        progress,
        delivery.judging,
        failing,
        writers,
    )
    for part in switchable(measurement, step_totals, progress, explainer):
        failing.add(part)
    alerts.add_source(failing)
    hooks = HookRunner(state, alerts, guard)
    calm = CalmSteps(state, lull, measurement, step_totals, progress, delivery, failing, guard)
    unseen = UnseenSteps(
        state, lull, measurement.timer, measurement.schedule, measurement.unmarked, calm
    )
    end = StepEnd(
        state,
        measurement,
        step_totals,
        freezer,
        gates,
        steering,
        saved,
        previews,
        explainer,
        progress,
        alerts,
        alignment,
        delivery,
        failing,
        lull,
        outlook,
        guard,
    )
    cycle = StepCycle(
        optimizers,
        table,
        state,
        measurement,
        step_totals,
        freezer,
        gates,
        writers,
        explainer,
        progress,
        captured,
        lull,
        unseen,
        hooks,
        end,
        guard,
    )
    boundaries = Boundaries(
        optimizers, cycle, unseen, hooks, guard, follow_ends=measurement.timer.follow_ends
    )
    undo.callback(guard.undo, boundaries.remove)
    backward_ended.add(boundaries.backward_ended)
    applied_inside.add(boundaries.step_with_backwards)
    model_hooks = ModelHooks(
        models,
        table,
        state,
        measurement,
        freezer,
        gates,
        writers,
        explainer,
        alerts,
        restraints,
        alignment,
        lull,
        guard,
    )
    undo.callback(guard.undo, model_hooks.remove)
    requests = ServerRequests(queue, previews, gates.registry, limits, measurement, uplink, guard)
    asked.add(requests.receive)
    commands = ScriptCommands(
        state,
        numbers,
        table,
        steering,
        queue,
        previews,
        agreement,
        gates,
        explainer,
        measurement,
        alignment,
    )
    checkpoint = Checkpoint(
        state,
        numbers,
        models,
        table,
        freezer,
        gates,
        measurement,
        steering,
        agreement,
        limits,
        alignment,
        delivery,
    )
    job = Job(
        id=identity.id,
        name=name,
        expected=expect,
        cell=cell,
        models=models,
        optimizers=optimizers,
        guard=guard,
        state=state,
        table=table,
        wrappers=wrappers,
        measurement=measurement,
        totals=step_totals,
        ranks=ranks,
        uplink=uplink,
        freezer=freezer,
        gates=gates,
        reports=reports,
        queue=queue,
        steering=steering,
        previews=previews,
        alerts=alerts,
        no_steps=no_steps,
        explainer=explainer,
        progress=progress,
        alignment=alignment,
        delivery=delivery,
        cycle=cycle,
        boundaries=boundaries,
        model_hooks=model_hooks,
        commands=commands,
        checkpoint=checkpoint,
        requests=requests,
        at_exit=close_at_exit(delivery, guard, interactive=cell is not None),
    )
    undo.callback(atexit.unregister, job.at_exit)
    gates.runtime.owner = job
    undo.callback(ATTACHED.discard, gates.runtime)
    ATTACHED.add(gates.runtime)
    # One rank talks; the others hear from it what was asked for.
    told = (server is not None or record is not None) and agreement.leads
    undo.callback(guard.undo, partial(uplink.close, 0.0, failed=True))
    if record is not None and told:
        uplink.record(record)
    if server is not None and told:
        uplink.connect(server)
    if told:
        undo.callback(guard.undo, step_totals.stop)
        step_totals.start()
    return job
