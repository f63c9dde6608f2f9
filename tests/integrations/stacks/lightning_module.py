"""Lightning's automatic optimization, with accumulation, clipping and validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gradgate.probe.integrations.lightning import GradgateCallback

from .stack import AfterStep, Stack, Trained


class Classifier(LightningModule):
    """An encoder and a head, with BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encoder(x)
        return self.head(encoded + self.body(encoded).tanh())

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = self(batch).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_loss", self(batch).square().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5)]


class AfterSteps(Callback):
    """Calls a function after each step."""

    def __init__(self, after_step: AfterStep, watching: GradgateCallback | None) -> None:
        self._after_step = after_step
        self._watching = watching
        self._step: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = self.step(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if self.step(trainer) == self._step:
            return
        self._step = self.step(trainer)
        run = self._watching.run if self._watching else None
        if self._after_step(self._step, pl_module, run):
            trainer.should_stop = True

    def step(self, trainer: Trainer) -> int:
        """Return how many steps were made."""
        return trainer.global_step


class Lightning(Stack):
    """A classifier, trained in epochs of six steps."""

    frozen = "encoder"
    gated = "body"
    module: type[LightningModule] = Classifier
    after_steps: type[AfterSteps] = AfterSteps
    options: Mapping[str, Any] = {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}
    batches = 12
    """In an epoch, which is saved at its end."""

    def train(
        self,
        steps: int,
        after_step: AfterStep,
        options: Mapping[str, Any] | None,
        *,
        folder: Path,
        save_at: int | None = None,
        resume: bool = False,
    ) -> Trained:
        watching = None if options is None else GradgateCallback(**options)
        module = self.fit(
            folder,
            [*([watching] if watching else []), self.after_steps(after_step, watching)],
            steps=steps,
            save=save_at is not None and not resume,
            checkpoint=folder / "epoch=0.ckpt" if resume else None,
        )
        return Trained(module, module.trainer.optimizers)

    def fit(
        self,
        folder: Path,
        callbacks: list[Callback],
        *,
        steps: int,
        save: bool = False,
        checkpoint: Path | None = None,
    ) -> LightningModule:
        """Fit a module that is always the same, on data that is always the same."""
        torch.manual_seed(1)
        module = self.module()
        if save:
            saving = ModelCheckpoint(folder, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
            callbacks = [*callbacks, saving]
        trainer = Trainer(
            max_epochs=steps * self.batches,
            max_steps=self.most_steps(steps),
            callbacks=callbacks,
            default_root_dir=folder,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=save,
            enable_progress_bar=False,
            enable_model_summary=False,
            **self.options,
        )
        data = torch.randn(4 * self.batches, 6, generator=torch.Generator().manual_seed(2))
        loader: DataLoader[Any] = DataLoader(data, batch_size=4)
        torch.manual_seed(3)
        trainer.fit(module, loader, loader, ckpt_path=checkpoint, weights_only=False)
        return module

    def most_steps(self, steps: int) -> int:
        """Return how many steps of optimizers so many steps are."""
        return steps


STACK = Lightning()
