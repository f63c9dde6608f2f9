"""A model and an optimizer of timm, in a loop as its own training script has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3, dispatch_clip_grad
from torch.nn.functional import cross_entropy

from gradgate import probe

from .stack import AfterStep, Stack, Trained


class Timm(Stack):
    """A vision transformer of two blocks, with layer decay, clipping and an average of weights."""

    frozen = "blocks.0"
    gated = "blocks.1.mlp"

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
        torch.manual_seed(1)
        model = VisionTransformer(
            img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3
        )
        optimizer = create_optimizer_v2(model, "adamw", lr=0.01, layer_decay=0.7)
        schedule = CosineLRScheduler(optimizer, t_initial=100)
        average = ModelEmaV3(model, decay=0.9)
        run = None if options is None else probe.attach(model, optimizer, **options)
        first = 1
        if resume:
            saved = torch.load(folder / "last.pt", weights_only=True)
            model.load_state_dict(saved["model"])
            average.load_state_dict(saved["average"])
            optimizer.load_state_dict(saved["optimizer"])
            first = saved["step"] + 1
            if run is not None:
                run.load_state_dict(saved["gradgate"])
        try:
            for step in range(first, steps + 1):
                generator = torch.Generator().manual_seed(step)
                images = torch.randn(4, 3, 8, 8, generator=generator)
                loss = cross_entropy(model(images), torch.arange(4) % 3)
                optimizer.zero_grad()
                loss.backward()
                dispatch_clip_grad(model.parameters(), 1.0)
                optimizer.step()
                average.update(model)
                schedule.step_update(step)
                if after_step(step, model, run):
                    break
                if step == save_at and not resume:
                    saved = {
                        "model": model.state_dict(),
                        "average": average.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "gradgate": run.state_dict() if run is not None else {},
                        "step": step,
                    }
                    torch.save(saved, folder / "last.pt")
        except BaseException:
            if run is not None:
                run.detach(failed=True)
            raise
        if run is not None:
            run.detach()
        return Trained(model, [optimizer])


STACK = Timm()
