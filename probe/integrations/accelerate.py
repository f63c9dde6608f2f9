"""A tracker of Accelerate, which also attaches to what the Accelerator has prepared."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker
from torch import nn

from ..session.run import Run
from .library_run import AttachOptions, HoldsRun, LibraryRun

if TYPE_CHECKING:
    from typing_extensions import Unpack

logger = logging.getLogger("gradgate")


class GradgateTracker(HoldsRun, GeneralTracker):
    """Logs for ``Accelerator(log_with=tracker)``, and watches what ``tracker.attach`` is given.

    It takes the options of :func:`gradgate.probe.attach`. What is frozen and gated is saved and
    loaded with ``accelerator.save_state`` and ``load_state``, and ``end_training`` ends the run.
    An Accelerator tells nobody when training raises: the run then fails with the process, or at
    the end of ``with GradgateTracker() as tracker:``.
    """

    name = "gradgate"
    requires_logging_directory = False
    main_process_only = False

    def __init__(self, **options: Unpack[AttachOptions]) -> None:
        super().__init__()
        self.library_run = LibraryRun("accelerate", "1", options, end_is_told=False)
        self._registered = False
        self._told = False

    @property
    def tracker(self) -> Run | None:
        """The run, as ``accelerator.get_tracker("gradgate", unwrap=True)`` returns it."""
        return self.run

    def attach(
        self,
        accelerator: Accelerator,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: object,
    ) -> None:
        """Attach to a model, or a dict of some, and the optimizers that were prepared.

        Names are those of the model before it was prepared. Call it on every process, and before
        ``load_state``.
        """
        if isinstance(model, Mapping):
            unwrapped = {name: _unwrapped(accelerator, each) for name, each in model.items()}
            self.library_run.begin(unwrapped, optimizer)
        else:
            self.library_run.begin(_unwrapped(accelerator, model), optimizer)
        if not self._registered:
            self._registered = True
            accelerator.register_for_checkpointing(self.library_run)

    def log(self, values: Mapping[str, object], step: int | None = None, **_: Any) -> None:
        """Log those of the values that are numbers, at the run's own step."""
        if not (self._registered or self._told):
            self._told = True
            logger.warning(
                "gradgate: nothing is watched yet: call tracker.attach(accelerator, model, "
                "optimizer) after accelerator.prepare()."
            )
        self.library_run.log(values)

    def finish(self) -> None:
        """End the run."""
        self.library_run.end()


def _unwrapped(accelerator: Accelerator, model: nn.Module) -> nn.Module:
    module: nn.Module = accelerator.unwrap_model(model, keep_torch_compile=False)
    return module
