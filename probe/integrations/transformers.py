"""A callback of the Trainer of Hugging Face Transformers, and so of TRL's trainers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils
from transformers.trainer_callback import ExportableState

from ..live.expected import Expected
from .library_run import AttachOptions, HoldsRun, LibraryRun

if TYPE_CHECKING:
    from typing_extensions import Unpack


logger = logging.getLogger("gradgate")


class GradgateCallback(HoldsRun, TrainerCallback, ExportableState):
    """Watches and steers what a Trainer trains: ``Trainer(..., callbacks=[GradgateCallback()])``.

    It takes the options of :func:`gradgate.probe.attach`. What is frozen and gated is in each
    checkpoint's ``trainer_state.json``, and is so again after ``resume_from_checkpoint``.

    The Trainer tells its callbacks nothing when training raises: the run fails when the process
    ends, also where something catches the error, when the callback's next training begins, or at
    the end of ``with GradgateCallback() as callback:``.
    """

    def __init__(self, **options: Unpack[AttachOptions]) -> None:
        self._options = options
        self.library_run = LibraryRun("transformers", "5", options)

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        optimizer: object,
        **_: Any,
    ) -> None:
        """Attach: the optimizer is made and, on resuming, loaded."""
        if state.global_step:
            saved = _saved(state)
            self.library_run.load_state_dict(saved.get("run", {}))
            names = saved.get("options", ())
            lost = set(names if isinstance(names, list) else ()).difference(self._options)
            if lost and args.restore_callback_states_from_checkpoint:
                logger.warning(
                    "gradgate: restore_callback_states_from_checkpoint=True made GradgateCallback "
                    "anew, without %s; leave it out: freezes and gates are restored without it.",
                    ", ".join(sorted(map(str, lost))),
                )
        self.library_run.begin(model, optimizer, name=args.run_name)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **_: Any,
    ) -> None:
        """Log what the Trainer logs: losses, its gradient norm, the learning rate, evaluations."""
        self.library_run.log(logs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """End the run."""
        self.library_run.end()

    def state(self) -> dict[str, Any]:
        """Return what the Trainer puts into ``trainer_state.json`` of a checkpoint."""
        saved = {"run": self.library_run.state_dict(), "options": sorted(self._options)}
        return {"args": _plain(self._options), "attributes": {"saved": saved}}


def register() -> None:
    """Let ``report_to="gradgate"`` of the arguments, or ``--report_to gradgate``, add the callback.

    It has the options that ``attach`` has by default. Call it before the Trainer is made.
    """
    integration_utils.INTEGRATION_TO_CALLBACK["gradgate"] = GradgateCallback


def _saved(state: TrainerState) -> dict[str, Any]:
    """Return what the checkpoint that training resumes from has of the callback; {} for nothing."""
    found = state.stateful_callbacks.get(GradgateCallback.__name__, {})
    # A list where the Trainer has several: what watches is the first.
    found = next(iter(found), {}) if isinstance(found, list) else found
    for key in ("attributes", "saved"):
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint may hold of the options: plain values, no token, no password."""
    held: dict[str, Any] = {}
    for name, value in options.items():
        given = list(value) if name == "expect" and not isinstance(value, Expected) else value
        secret = name == "token" or (name == "server" and not set("@?#").isdisjoint(str(given)))
        if not secret and isinstance(given, str | bool | int | float | list | None):
            held[name] = given
    return held
