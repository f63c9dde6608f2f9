"""An engine of PyTorch-Ignite, with its own checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint
from torch import Tensor, nn

from gradgate.probe.integrations.ignite import GradgateHandler

from .stack import AfterStep, Stack, Trained


class Ignite(Stack):
    """A few layers, with accumulation over two batches."""

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
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

        def iterate(engine: Engine, batch: Tensor) -> dict[str, float]:
            optimizer.zero_grad()
            for part in batch.chunk(2):
                loss = model(part).square().mean() / 2
                loss.backward()
            optimizer.step()
            return {"loss": loss.item()}

        trainer = Engine(iterate)
        saved: dict[str, Any] = {"model": model, "optimizer": optimizer, "trainer": trainer}
        handler = None
        if options is not None:
            handler = GradgateHandler(model, optimizer, **options)
            handler.attach(trainer)
            saved["gradgate"] = handler

        @trainer.on(Events.ITERATION_COMPLETED)
        def look(engine: Engine) -> None:
            step = engine.state.iteration
            if after_step(step, model, handler.run if handler else None) or step == steps:
                engine.terminate()
            if step == save_at and not resume:
                checkpoint = Checkpoint(saved, str(folder))
                checkpoint(engine)
                (folder / "name").write_text(Path(checkpoint.last_checkpoint).name)

        if resume:
            file = folder / (folder / "name").read_text()
            Checkpoint.load_objects(saved, torch.load(file, weights_only=True))
        data = torch.randn(6, 4, 6, generator=torch.Generator().manual_seed(2))
        with handler or nullcontext():
            trainer.run(data, max_epochs=None if resume else steps)
        return Trained(model, [optimizer])


STACK = Ignite()
