"""``attach``: the one line in the user's training script."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from ..base.errors import AttachError
from ..base.guard import Guard, telling
from ..gates.labels import ATTACHED
from ..link.address import server_address
from ..live.expected import Expected
from ..measure.pace import Pace
from ..notebook.frontend import notebook_name, running_cell
from ..progress.thresholds import Thresholds
from ..spool.folder import SpoolFolder
from ..torch_compat.requirements import missing_parts
from ..torch_compat.wrappers import Wrappers
from .arguments import (
    checked_expectation,
    checked_models,
    checked_name,
    checked_optimizers,
    checked_record,
    checked_server,
    part_name,
    require_hooks,
    script_name,
    warn_of_nothing_to_watch,
)
from .run import Run
from .wiring import make_job

logger = logging.getLogger("gradgate")


def attach(
    model: nn.Module | Mapping[str, nn.Module],
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    *,
    name: str | None = None,
    group: str | None = None,
    server: str | bool | None = None,
    token: str | None = None,
    every: int | None = None,
    budget: float = 0.01,
    expect: Sequence[str] | Expected = (),
    strict: bool = False,
    script_wins: bool = False,
    thresholds: Thresholds | None = None,
    totals: bool | None = None,
    record: str | Path | None = None,
    source: bool = True,
    alone: bool | None = None,
) -> Run:
    """Watch the gradients of a model while it trains, and let the dashboard steer them.

    ``model``: a module, or a dict of names to modules (a GAN's two). ``optimizer``: one,
    several, or None (then ``run.step()`` marks the end of each step). ``name``: what the
    dashboard shows, by default ``$GRADGATE_NAME`` or the script's name; runs of one name are
    numbered. ``group``: what the run is a part of beside others, such as a search or a pipeline
    of several processes; by default ``$GRADGATE_GROUP``. ``server``: the dashboard's URL, by
    default ``$GRADGATE_SERVER`` or http://127.0.0.1:8765; False for none. ``token``: by
    default that of a URL as ``gradgate serve`` prints it, or ``$GRADGATE_TOKEN``. ``every``:
    sample each n-th step exactly; None samples as often as ``budget``, a share of the step time,
    allows.

    ``expect``: names, modules' paths or globs of what ought to train, or what :func:`expect`
    makes, which also says what ought to stay as it is. A parameter that ought to train and has no
    useful gradient in two samples is an alert, with its cause (``run.alerts()``), and so is what
    changes and ought to stay. With ``strict`` an alert raises :class:`ExpectationError` out of
    ``optimizer.step()``, and at the end of ``with attach(...)``, so that a test or a CI job fails.

    ``script_wins``: a freeze by command holds though the script sets ``requires_grad`` again, as
    a GAN's loop and Lightning's do in each iteration; with True the script's own word stands and
    ends the freeze, which is reported as superseded, with the script's line.

    ``thresholds``: from where on trends are told as notes, and ranks compared.

    ``totals``: between samples the total gradient norm of a step is looked at, so that nothing is
    missed that lasts one step, and the step after an outlier is sampled out of turn: at every step
    with True, at none with False, and with None as often as ``budget`` allows, or, where samples
    have that too, a fifth of it.

    ``record``: a file into which all goes that a server is told, or would be with
    ``server=False``, for ``gradgate open`` and ``gradgate send``.

    ``source``: explanations are sent with a few lines of the script around the one that is meant;
    with False no line of source leaves the job, and the server is told of files, line numbers and
    the names of what was called.

    ``alone``: with a process group, whether this process trains the model by itself, so that it is
    a run of its own and agrees with no other rank; by default it is so for a stage of a
    ``torch.distributed.pipelining`` pipeline that is there by now. Such runs have the number of
    the stage, or else of the rank, in their name, and the name for their group, unless they are
    given.

    In a notebook a run ends where the same model is attached again, and where the cell that
    attached it is executed again, which is said; by default it is called like the notebook.

    Raises :class:`AttachError` when the model or the optimizer is none, or another run watches
    the model already, :class:`TargetError` when an expectation names nothing, and ValueError for
    an argument out of range and for expectations that contradict each other.
    Where the probe itself fails in here, all that it did is undone, and AttachError says so. From
    then on nothing else of the probe's own reaches the training loop: without a server, the job
    trains on.
    """
    frame = sys._getframe(1)
    with (
        telling(Guard(), AttachError, "nothing is attached, and nothing was changed"),
        ExitStack() as undo,
    ):
        models = checked_models(model)
        require_hooks(models)
        cell = running_cell(frame)
        if cell is not None:
            for ended in ATTACHED.end_repeated(models.values(), cell):
                logger.warning("gradgate: %r, which was attached before, has ended.", ended)
        if ATTACHED.is_watched(models.values()):
            raise AttachError(
                "this model, or a part of it, is watched by another run already; use that run, or "
                "call detach() on what attach() returned for it, and attach again."
            )
        optimizers = checked_optimizers(optimizer)
        if every is not None and (not isinstance(every, int) or every < 1):
            raise ValueError(
                f"every={every!r}: give a whole number of steps from 1 up, or None for as often "
                "as the budget allows."
            )
        if not 0 < budget <= 1:
            raise ValueError(
                f"budget={budget!r}: give a share of the step time above 0, at most 1."
            )
        warn_of_nothing_to_watch(models)
        lacking = missing_parts()
        if lacking is not None:
            logger.warning("gradgate: %s", lacking)
        wrappers = Wrappers(models, alone)
        undo.callback(wrappers.remove)
        of_environment = checked_name("name", None, "GRADGATE_NAME")
        shared = of_environment or notebook_name(frame) or script_name()
        part = part_name(wrappers)
        url = checked_server(server)
        job = make_job(
            models,
            optimizers,
            wrappers,
            undo,
            name=checked_name("name", name) or f"{shared}{part}",
            group=checked_name("group", group, "GRADGATE_GROUP") or (shared if part else None),
            cell=cell,
            server=None if url is None else server_address(url, token),
            pace=Pace(every, budget),
            expect=checked_expectation(expect),
            strict=strict,
            script_wins=script_wins,
            thresholds=thresholds or Thresholds(),
            totals=totals,
            record=checked_record(record),
            folder=SpoolFolder.of_environment(),
            source=source,
        )
        run = Run(job)
        undo.pop_all()
    return run
