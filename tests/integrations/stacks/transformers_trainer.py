"""The Trainer of Transformers, with accumulation, clipping, and evaluations in between."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from gradgate.probe.integrations.transformers import GradgateCallback

from .stack import AfterStep, Stack, Trained

CONFIG = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
}


class AfterSteps(TrainerCallback):
    """Calls a function after each step."""

    def __init__(self, after_step: AfterStep, watching: GradgateCallback | None) -> None:
        self._after_step = after_step
        self._watching = watching

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module,
        **_: Any,
    ) -> None:
        run = self._watching.run if self._watching else None
        if self._after_step(state.global_step, model, run):
            control.should_training_stop = True


class TransformersTrainer(Stack):
    """A Llama of two layers, from its configuration."""

    frozen = "model.layers.0"
    gated = "model.layers.1.mlp"

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
        callbacks = [*([watching] if watching else []), AfterSteps(after_step, watching)]
        trainer = self.trainer(steps, folder, save_at, callbacks)
        with watching or nullcontext():
            trainer.train(str(folder / f"checkpoint-{save_at}") if resume else None)
        return Trained(trainer.model, [trainer.optimizer.optimizer])

    def trainer(
        self, steps: int, folder: Path, save_at: int | None, callbacks: list[TrainerCallback]
    ) -> Trainer:
        """Make the trainer, its model and its data, always the same."""
        data = tokens()
        return Trainer(
            self.model(),
            TrainingArguments(str(folder), **common(steps, save_at)),
            train_dataset=data,
            eval_dataset=data[:4],
            callbacks=callbacks,
        )

    def model(self) -> nn.Module:
        """Make the model, always the same."""
        return model()


def model() -> nn.Module:
    """Make a tiny Llama, always the same."""
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**CONFIG))


def tokens() -> list[dict[str, torch.Tensor]]:
    """Make some random sequences, always the same."""
    rows = torch.randint(CONFIG["vocab_size"], (40, 8), generator=torch.Generator().manual_seed(2))
    return [{"input_ids": row, "labels": row} for row in rows]


def common(steps: int, save_at: int | None) -> dict[str, Any]:
    """Return the arguments of a short training on the CPU; TRL's trainers take them, too."""
    return {
        "max_steps": steps,
        "save_strategy": "steps" if save_at else "no",
        "save_steps": save_at or 500,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "eval_strategy": "steps",
        "eval_steps": 5,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": "none",
    }


STACK = TransformersTrainer()
