"""The arguments of ``attach`` and ``explain``: checked, and filled in from the environment."""

from __future__ import annotations

import logging
import operator
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.optim import Optimizer

from ..base.errors import AttachError, CommandError
from ..base.wire_text import wire_text
from ..link.address import ingest_url
from ..live.expected import Expected, patterns
from ..model.inner_optimizers import parts
from ..torch_compat.module_hooks import takes_hooks
from ..torch_compat.process_group import in_process_group, rank
from ..torch_compat.wrappers import Wrappers

logger = logging.getLogger("gradgate")

NAME_CHARACTERS = 512
DEFAULT_SERVER = "http://127.0.0.1:8765"


def checked_models(model: object, asked: str = "attach") -> dict[str, nn.Module]:
    """Return the models by name; raises :class:`AttachError` for what is none.

    ``asked``: the function that was given them.
    """
    named: dict[str, object] = dict(model) if isinstance(model, Mapping) else {"": model}
    for key, value in named.items():
        if not isinstance(value, nn.Module):
            what = f"model[{key!r}]" if key else "model"
            raise AttachError(
                f"{what} is a {type(value).__name__}; {asked}() wants a torch.nn.Module "
                "or a dict of names to modules."
            )
    return {key: value for key, value in named.items() if isinstance(value, nn.Module)}


def require_hooks(models: Mapping[str, nn.Module]) -> None:
    """Raise :class:`AttachError` for a model that takes no hooks: it cannot be followed."""
    for key, value in models.items():
        if not takes_hooks(value):
            what = f"model[{key!r}]" if key else "model"
            raise AttachError(
                f"{what} is TorchScript, which takes no hooks, so its forwards cannot be followed; "
                "attach to the module that it was made of, before torch.jit.script."
            )


def warn_of_nothing_to_watch(models: Mapping[str, nn.Module]) -> None:
    """Log a warning where there is no parameter, or some have no numbers yet."""
    parameters = [each for model in models.values() for each in model.parameters()]
    if not parameters:
        logger.warning(
            "gradgate: the model has no parameters, so there is no gradient to watch; "
            "attach after its layers are made."
        )
    empty = sum(each.is_meta for each in parameters)
    if empty:
        logger.warning(
            "gradgate: %d of the model's %d parameters are on the meta device, where they have no "
            "numbers, and are not measured; attach after they have some, as by to_empty() or "
            "load_state_dict(..., assign=True). Those that take their place are watched.",
            empty,
            len(parameters),
        )


def checked_optimizers(optimizer: object) -> list[Optimizer]:
    """Return the optimizers, unwrapped, and for a collection of some its parts.

    Raises :class:`AttachError` for what is none.
    """
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
    innermost = [_innermost(value) for value in given if isinstance(value, Optimizer)]
    return [part for each in innermost for part in parts(each)]


def checked_closure(closure: object) -> None:
    """Raise :class:`CommandError` for a closure that cannot be called, such as a loss."""
    if callable(closure):
        return
    called = ""
    if closure is None or isinstance(closure, Tensor):
        called = " (it was called already: give the function itself)"
    raise CommandError(
        f"closure is a {type(closure).__name__}{called}; explain() wants a function that makes a "
        "forward and a backward, such as lambda: loss_fn(model(x), y).backward()."
    )


def _innermost(optimizer: Optimizer) -> Optimizer:
    """Return the optimizer that steps: wrappers such as Accelerate's hold it as ``optimizer``."""
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


def checked_expectation(given: object) -> Expected:
    """Return what is expected; a list is what ought to train; raises ValueError for neither."""
    if isinstance(given, Expected):
        return given
    return Expected(trains=patterns("expect", given))


def checked_server(server: str | bool | None) -> str | None:
    """Return the dashboard's URL, or None for none; raises ValueError for what is no address."""
    if server is False:
        return None
    default = os.environ.get("GRADGATE_SERVER") or DEFAULT_SERVER
    url = server if isinstance(server, str) else default
    ingest_url(url)
    return url


def checked_record(record: str | Path | None) -> Path | None:
    """Return the file to record into, or None; raises ValueError where that cannot be."""
    if record is None:
        return None
    path = Path(record)
    if path.exists():
        raise ValueError(f"record={str(record)!r} is there already: give another, or remove it.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"record={str(record)!r}: there is no such folder.")
    return path


def checked_name(what: str, given: object, variable: str | None = None) -> str | None:
    """Return a name, or that of the environment, shortened; raises ValueError for what is none."""
    if given is not None and not isinstance(given, str):
        raise ValueError(f"{what}={given!r}: give a text, or None.")
    name = given or (os.environ.get(variable) if variable else None) or ""
    return wire_text(name, NAME_CHARACTERS) or None


def checked_number(what: str, given: object) -> float | None:
    """Return a number of any library's, or None; raises :class:`CommandError` for what is none."""
    if given is None:
        return None
    try:
        if not isinstance(given, (str, bytes)):
            return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass  # also a tensor of several elements
    raise CommandError(f"{what}={given!r:.80}: give a number.")


def checked_whole(what: str, given: object) -> int:
    """Return a whole number of any library's; raises :class:`CommandError` for what is none."""
    try:
        return operator.index(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise CommandError(f"{what}={given!r:.80}: give a whole number.") from None


def part_name(wrappers: Wrappers) -> str:
    """Return what tells this process's run from those of the others; empty where one is all."""
    if not (wrappers.alone and in_process_group()):
        return ""
    stages = [str(number) for number in wrappers.stages]
    if not stages:
        return f", rank {rank()}"
    return f", stage{'s' if len(stages) > 1 else ''} {' and '.join(stages)}"


def script_name() -> str:
    """Return the name of the script that runs, without its ending."""
    script = Path(sys.argv[0] if sys.argv else "")
    if script.stem == "__main__":
        return script.parent.name
    return script.stem[:NAME_CHARACTERS] or "python"
