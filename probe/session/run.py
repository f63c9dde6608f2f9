"""A run: one training job as the dashboard knows it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ..base.errors import StepError
from ..base.guard import commanding, silent
from ..diagnosis.explanation import Explanation
from ..live.alerts import Alert
from ..model.gate_info import GateInfo
from ..model.limit import Limit
from ..model.parameter_info import ParameterInfo
from ..notebook.markup import HEIGHT, LivePage
from ..steer.preview import Preview
from .display import in_a_line, show_page, summary
from .job import Job


class Run:
    """What :func:`gradgate.probe.attach` returns; as a context manager it detaches at the end.

    It has one method for each thing that a script can ask of a run, which are many; each is
    done by a part of the job.
    """

    def __init__(self, job: Job) -> None:
        self.id = job.id
        self.name = job.name
        self.guard = job.guard
        self._job = job
        self._commands = job.commands
        self._checkpoint = job.checkpoint
        self._delivery = job.delivery
        self._alignment = job.alignment
        self._gates = job.gates.registry
        self._explainer = job.explainer
        self._alerts = job.alerts

    def __enter__(self) -> Run:
        return self

    @silent(lambda: None, tries=2)
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._job.end(failed=is_failure(error))
        if error is None:
            self._alerts.raise_failure(last=True)

    @property
    @silent(lambda: None)
    def url(self) -> str | None:
        """The address of the run's page; None with ``server=False``, and on ranks but the first."""
        return self._job.uplink.url

    @silent(lambda: None)
    def show(self, height: int = HEIGHT) -> LivePage | None:
        """Show the run's page in a notebook, live, ``height`` pixels high.

        In Jupyter and VS Code it is below the cell at once, so that the cell may go on to train.
        marimo shows what is returned, as a cell's last expression; elsewhere that is the address.
        """
        return show_page(self._job, height)

    @silent(str)
    def _repr_html_(self) -> str:
        """Return the run as a notebook shows it: a link, its state, and what is wrong."""
        return summary(self._job)

    @silent(lambda: "<gradgate run>")
    def __repr__(self) -> str:
        return in_a_line(self._job)

    @silent(lambda: None)
    def log(self, metrics: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Note metrics of the present step: ``run.log(loss=loss, accuracy=0.93)``.

        Values are numbers or tensors of one element; those on an accelerator are read
        without stalling the job.
        """
        self._delivery.log(metrics, more)

    @silent(lambda: None)
    def step(self) -> None:
        """Mark the end of a step, for a run that was attached without an optimizer.

        Call it where the gradients are complete and not yet dropped.
        """
        if self._job.optimizers:
            raise StepError(
                "run.step() is for runs attached without an optimizer; "
                "here the optimizer's own step() marks the boundary, so drop the call."
            )
        self._job.cycle.step_by_hand()

    @commanding
    def freeze(
        self,
        target: str,
        mode: str = "grad",
        hold_stats: bool = False,
        *,
        for_steps: int | None = None,
        for_seconds: float | None = None,
    ) -> tuple[str, ...]:
        """Stop training the parameters that ``target`` names, and return their names.

        ``target`` is a parameter's name, a module's path (all below it) or a glob. The
        parameters get ``requires_grad=False`` and ``grad=None``; the optimizer and its
        state are not touched. With ``mode="no_grad"`` the modules that ``target`` names also
        run without a graph; that is refused, after the next step, when a trainable parameter
        would lose its gradient by it. ``hold_stats`` lets normalisation layers inside the
        target use their running statistics and not update them. Between a step and the
        model's next forward this takes effect at once; called at another moment, or in
        another thread, at the end of the step. After ``for_steps`` steps, or at the end of the
        step in which it has lasted ``for_seconds``, it is undone by itself.

        Raises :class:`TargetError` when nothing matches and :class:`CommandError` when it
        cannot be done safely.
        """
        limit = Limit.of(for_steps, for_seconds)
        return self._commands.freeze(target, mode, limit, hold_stats=hold_stats)

    @commanding
    def thaw(self, target: str, reset_state: bool = False) -> tuple[str, ...]:
        """Resume training the parameters that ``target`` names.

        They go on with the optimizer state that they had, or, with ``reset_state``, with a
        new one. When it takes effect and what it raises: as for :meth:`freeze`.
        """
        return self._commands.thaw(target, reset_state=reset_state)

    @commanding
    def gate(
        self,
        site: str,
        when: str = "True",
        action: str = "block",
        factor: float | None = None,
        max_norm: float | None = None,
        hold: int = 0,
        *,
        for_steps: int | None = None,
        for_seconds: float | None = None,
    ) -> int:
        """Make a gate, and return its number.

        ``site``: ``param:NAME``, ``output:MODULE``, ``input:MODULE``, or ``site:LABEL`` for a
        call of :func:`gradgate.probe.site`. While the condition ``when`` is true the gate is
        closed, and ``action`` works on the gradient that arrives there: ``block`` lets
        nothing pass, and the backward upstream is not computed; ``scale`` multiplies it by
        ``factor``; ``clip`` brings its L2 norm down to ``max_norm``. Once closed it stays
        closed for ``hold`` steps at least. With ``for_steps`` or ``for_seconds`` it is removed by
        itself, as a freeze is undone. Several gates on one site act in the order made.
        docs/gates.md has the language of conditions.

        Raises :class:`ConditionError` for a bad condition, :class:`TargetError` for a site
        that is not there and :class:`CommandError` for what cannot be done.
        """
        limit = Limit.of(for_steps, for_seconds)
        return self._commands.gate(site, when, action, factor, max_norm, hold, limit)

    @commanding
    def ungate(self, gate: int) -> None:
        """Remove the gate of this number. Raises :class:`CommandError` if there is none."""
        self._commands.ungate(gate)

    @silent(list)
    def gates(self) -> list[GateInfo]:
        """Return every gate as it is now, in the order made."""
        return self._gates.infos()

    @commanding
    def explain(self, target: str = "*") -> None:
        """Trace the next step, and then know why gradients are missing: :meth:`explanations`.

        The step is the job's own, from this boundary or the next to the one after it, and takes
        some times as long as others. ``target``: a name, a module's path or a glob; what the
        dashboard shows as answered. A compiled model runs that step eagerly.

        Raises :class:`TargetError` when nothing matches.
        """
        self._commands.explain(target)

    @silent(dict)
    def explanations(self) -> dict[str, Explanation]:
        """Return why parameters lacked a useful gradient in the step traced last, by name.

        Empty before the first; a healthy parameter has no entry. A job traces a step by itself
        once a parameter has lost its gradient, or has had none in its first samples.
        """
        return dict(self._explainer.latest)

    @silent(list)
    def alerts(self) -> list[Alert]:
        """Return what is wrong: broken expectations, and what holds for the whole run.

        The latter have no parameter. With ``strict`` each fails the run.
        """
        return self._alerts.of_level("alert")

    @silent(list)
    def notes(self) -> list[Alert]:
        """Return what is worth knowing and wrong in no script: a note fails no run."""
        return self._alerts.of_level("note")

    @commanding
    def preview(
        self,
        kind: str,
        target: str,
        mode: str = "grad",
        hold_stats: bool = False,
        reset_state: bool = False,
    ) -> Preview:
        """Say what a ``freeze`` or ``thaw`` (``kind``) would touch, and change nothing.

        What mode ``no_grad`` would cut off is known after a forward only: ``cut_off`` is
        None. Raises as :meth:`freeze` and :meth:`thaw` would.
        """
        return self._commands.preview(
            kind, target, mode, hold_stats=hold_stats, reset_state=reset_state
        )

    @commanding
    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen by command, and every gate, to go into the user's own checkpoint.

        Plain dicts, lists, strings and numbers, so that ``torch.load(..., weights_only=True)``
        reads it.
        """
        return self._checkpoint.save()

    @commanding
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Freeze what was frozen when ``state`` was made, and make the gates that there were.

        What was not frozen is thawed, and gates that it does not have are removed. A gate has
        its number again unless that was given away before, goes on with what it remembers (its
        average, how long it holds, whether it was closed) and counts its steps anew. In a run
        that has made no step yet, steps go on from that of the state.

        Call it between a step and the next forward, as right after :func:`attach`; what the
        script froze by itself is left alone. Raises :class:`TargetError` when the state
        names what this model does not have, and :class:`CommandError` when it is none or
        cannot be brought about; then nothing is changed.
        """
        self._checkpoint.load(state)

    @silent(list)
    def parameters(self) -> list[ParameterInfo]:
        """Return every parameter with its state as of the latest sample.

        They are in model order; those that joined the model after ``attach`` come last. One
        that left it, or was replaced by another, stays in the list as ``removed``, under a
        name that says since when.
        """
        return self._alignment.parameters()

    @silent(lambda: False)
    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has stored everything so far; False if it did not in time.

        ``timeout`` in seconds. A run with ``server=False`` has nothing to wait for: True.
        """
        return self._delivery.flush(timeout)

    @silent(lambda: None, tries=2)
    def detach(self, *, failed: bool = False) -> None:
        """Undo everything that the probe did to the model, and end the run. Idempotent.

        In a distributed job every rank calls it after the same step: what one of them undoes
        alone, freezes and gates, the others still have, and weights would drift apart.

        ``failed``: the run is shown as failed, as where an exception leaves ``with attach(...)``.
        """
        self._job.end(failed=failed)


def is_failure(error: BaseException | None) -> bool:
    """Return whether training that is left by this has failed: ``sys.exit(0)`` ends it well."""
    return not (error is None or (isinstance(error, SystemExit) and error.code in (None, 0)))


def job_of(run: Run) -> Job:
    """Return the parts behind a run, which the public interface does not show."""
    return run._job
