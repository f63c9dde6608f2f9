"""``attach``: the one line in the user's training script."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from ..base.errors import AttachError
from ..link.address import ingest_url
from ..measure.pace import Pace
from ..torch_compat.requirements import missing_parts
from .job import Job
from .run import Run

logger = logging.getLogger("gradgate")

DEFAULT_SERVER = "http://127.0.0.1:8765"


def attach(
    model: nn.Module | Mapping[str, nn.Module],
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    *,
    name: str | None = None,
    server: str | bool | None = None,
    token: str | None = None,
    every: int | None = None,
    budget: float = 0.01,
    expect: Sequence[str] = (),
    strict: bool = False,
) -> Run:
    """Watch the gradients of a model while it trains, and let the dashboard steer them.

    ``model``: a module, or a dict of names to modules (a GAN's two). ``optimizer``: one,
    several, or None (then ``run.step()`` marks the end of each step). ``name``: what the
    dashboard shows, by default the script's name. ``server``: the dashboard's URL, by
    default ``$GRADGATE_SERVER`` or http://127.0.0.1:8765; False for none. ``token``: by
    default ``$GRADGATE_TOKEN``. ``every``: sample each n-th step exactly; None samples as
    often as ``budget``, a share of the step time, allows.

    ``expect``: names, modules' paths or globs of what ought to train. A parameter of these
    that has no useful gradient in two samples is an alert, with its cause (``run.alerts()``);
    with ``strict`` it also raises :class:`ExpectationError` out of ``optimizer.step()``, and
    at the end of ``with attach(...)``, so that a test or a CI job fails.

    Raises :class:`AttachError` when the model or the optimizer is none, :class:`TargetError`
    when an expectation names nothing, and ValueError for an argument out of range.
    From then on nothing else of the probe's own reaches the training loop: without a server,
    the job trains on.
    """
    models = checked_models(model)
    optimizers = checked_optimizers(optimizer)
    if every is not None and (not isinstance(every, int) or every < 1):
        raise ValueError(
            f"every={every!r}: give a whole number of steps from 1 up, or None for as often "
            "as the budget allows."
        )
    if not 0 < budget <= 1:
        raise ValueError(f"budget={budget!r}: give a share of the step time above 0, at most 1.")
    if not any(True for each in models.values() for _ in each.parameters()):
        logger.warning(
            "gradgate: the model has no parameters, so there is no gradient to watch; "
            "attach after its layers are made."
        )
    lacking = missing_parts()
    if lacking is not None:
        logger.warning("gradgate: %s", lacking)
    called = (name or _script_name())[:512]
    job = Job(
        models,
        optimizers,
        name=called,
        server=_server(server),
        token=token or os.environ.get("GRADGATE_TOKEN"),
        pace=Pace(every, budget),
        expect=_patterns(expect),
        strict=strict,
    )
    return Run(job, called)


def checked_models(model: object) -> dict[str, nn.Module]:
    """The models by name; raises :class:`AttachError` for what is none."""
    named: dict[str, object] = dict(model) if isinstance(model, Mapping) else {"": model}
    for key, value in named.items():
        if not isinstance(value, nn.Module):
            what = f"model[{key!r}]" if key else "model"
            raise AttachError(
                f"{what} is a {type(value).__name__}; attach() wants a torch.nn.Module "
                "or a dict of names to modules."
            )
    return {key: value for key, value in named.items() if isinstance(value, nn.Module)}


def checked_optimizers(optimizer: object) -> list[Optimizer]:
    """The optimizers, unwrapped; raises :class:`AttachError` for what is none."""
    if optimizer is None:
        return []
    several = isinstance(optimizer, Sequence) and not isinstance(optimizer, str)
    given: list[object] = list(optimizer) if several else [optimizer]  # type: ignore[call-overload]
    for value in given:
        if not isinstance(value, Optimizer):
            raise AttachError(
                f"optimizer is a {type(value).__name__}; attach() wants a torch.optim.Optimizer, "
                "a list of them, or None (then call run.step() after each step)."
            )
    return [_innermost(value) for value in given if isinstance(value, Optimizer)]


def _innermost(optimizer: Optimizer) -> Optimizer:
    """The optimizer that steps: wrappers such as Accelerate's hold it as ``optimizer``."""
    while not _takes_hooks(optimizer):
        inner = getattr(optimizer, "optimizer", None)
        if not isinstance(inner, Optimizer):
            raise AttachError(
                f"optimizer is a {type(optimizer).__name__} that never called Optimizer.__init__, "
                "so its steps cannot be seen; give attach() the optimizer inside it, or None."
            )
        optimizer = inner
    return optimizer


def _takes_hooks(optimizer: Optimizer) -> bool:
    """Return whether an optimizer takes hooks: one whose ``__init__`` never ran does not."""
    try:
        optimizer.register_step_pre_hook(lambda *_: None).remove()
    except AttributeError:
        return False
    return True


def _patterns(expect: object) -> tuple[str, ...]:
    if isinstance(expect, str) or not isinstance(expect, Sequence):
        raise ValueError(
            f"expect={expect!r}: give a list of names or globs, such as ['encoder.*']."
        )
    return tuple(str(pattern) for pattern in expect)


def _server(server: str | bool | None) -> str | None:
    if server is False:
        return None
    default = os.environ.get("GRADGATE_SERVER") or DEFAULT_SERVER
    url = server if isinstance(server, str) else default
    ingest_url(url)
    return url


def _script_name() -> str:
    script = Path(sys.argv[0] if sys.argv else "")
    if script.stem == "__main__":
        return script.parent.name
    return script.stem or "python"
