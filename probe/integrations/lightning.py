"""A callback of Lightning's Trainer, of ``lightning`` and of ``pytorch_lightning``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .library_run import AttachOptions, HoldsRun, LibraryRun

try:
    from lightning.pytorch import Callback, LightningModule, Trainer

    PACKAGE = "lightning"
except ModuleNotFoundError:
    from pytorch_lightning import Callback, LightningModule, Trainer

    PACKAGE = "pytorch-lightning"

if TYPE_CHECKING:
    from typing_extensions import Unpack


class GradgateCallback(HoldsRun, Callback):
    """Watches and steers what a Trainer fits: ``Trainer(callbacks=[GradgateCallback()])``.

    It takes the options of :func:`gradgate.probe.attach`. What is frozen and gated is in each
    checkpoint, and is so again after ``fit(..., ckpt_path=...)``. Where fitting raises, the run
    fails.
    """

    def __init__(self, **options: Unpack[AttachOptions]) -> None:
        self.library_run = LibraryRun(PACKAGE, "2", options)
        self._logged: dict[str, object] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach: the optimizers are made, and a checkpoint is loaded."""
        self.library_run.begin(pl_module, trainer.optimizers)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, *_: object
    ) -> None:
        """Log the loss that the module returned, and what it has logged."""
        if isinstance(outputs, Mapping) and isinstance(outputs.get("loss"), Tensor):
            # Lightning has divided it for accumulation.
            loss = outputs["loss"].detach() * trainer.accumulate_grad_batches
            self.library_run.log({"loss": loss})
        self._log_new(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what validation has logged."""
        self._log_new(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run."""
        self.library_run.end()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the run as failed; also where a person interrupts it."""
        self.library_run.end(failed=True)

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning puts into a checkpoint."""
        return self.library_run.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Bring about what a checkpoint has, once fitting begins."""
        self.library_run.load_state_dict(state_dict)

    def _log_new(self, trainer: Trainer) -> None:
        """Log what is new: Lightning goes on showing what was logged last, under each name."""
        if self.library_run.run is None:
            return
        present = dict(trainer.callback_metrics)
        before = self._logged
        self.library_run.log({k: v for k, v in present.items() if v is not before.get(k)})
        self._logged = present
