"""A loop with Accelerate: prepared objects, accumulation, clipping, its own checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from torch import nn
from torch.utils.data import DataLoader

from gradgate.probe.integrations.accelerate import GradgateTracker

from .stack import AfterStep, Stack, Trained


class Accelerate(Stack):
    """A few layers, and a learning rate that falls."""

    frozen = "0"
    gated = "2"

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
        tracker = None if options is None else GradgateTracker(**options)
        accelerator = Accelerator(
            cpu=True,
            gradient_accumulation_steps=2,
            log_with=tracker,
            project_config=ProjectConfiguration(str(folder)),
        )
        torch.manual_seed(1)
        made = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
        )
        adam = torch.optim.AdamW(made.parameters(), lr=0.01)
        falling = torch.optim.lr_scheduler.StepLR(adam, 4)
        data = torch.randn(48, 6, generator=torch.Generator().manual_seed(2))
        model, optimizer, schedule, batches = accelerator.prepare(
            made, adam, falling, DataLoader(data, batch_size=2)
        )
        accelerator.init_trackers("tests")
        with tracker or nullcontext():
            if tracker is not None:
                tracker.attach(accelerator, model, optimizer)
            step = 0
            if resume:
                accelerator.load_state(str(folder / "state"))
                step = save_at or 0
            while step < steps:
                skipped = 2 * (step % 12)
                for batch in accelerator.skip_first_batches(batches, skipped):
                    with accelerator.accumulate(model):
                        loss = model(batch).square().mean()
                        accelerator.backward(loss)
                        if accelerator.sync_gradients:
                            accelerator.clip_grad_norm_(model.parameters(), 0.5)
                        optimizer.step()
                        schedule.step()
                        optimizer.zero_grad()
                    if not accelerator.sync_gradients:
                        continue
                    step += 1
                    accelerator.log({"loss": loss.detach()}, step=step)
                    if after_step(step, made, tracker.run if tracker else None):
                        steps = step
                    if step == save_at and not resume:
                        accelerator.save_state(str(folder / "state"))
                    if step >= steps:
                        break
            accelerator.end_training()
        return Trained(made, [adam])


STACK = Accelerate()
