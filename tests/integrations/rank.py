"""One rank of a Trainer's distributed training: ``python rank.py FOLDER``.

It freezes and gates by the same calls on every rank, and prints what became of its weights.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import nn

from tests.integrations.torchvision_operators import importable

FROZEN = "model.layers.0"


def main() -> None:
    """Train for eight steps."""
    importable()
    from gradgate.probe import Run
    from gradgate.probe.integrations.transformers import GradgateCallback
    from tests.integrations.stacks.transformers_trainer import AfterSteps, TransformersTrainer

    torch.set_num_threads(1)
    digests: list[dict[str, str]] = []

    def after_step(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 3:
            run.freeze(FROZEN)
        if step == 5:
            run.thaw(FROZEN)
            run.gate("output:model.layers.1.mlp")
        digests.append(
            {
                name: hashlib.sha1(value.detach().numpy().tobytes()).hexdigest()
                for name, value in model.named_parameters()
            }
        )
        return False

    callback = GradgateCallback(server=False, every=1)
    callbacks = [callback, AfterSteps(after_step, callback)]
    trainer = TransformersTrainer().trainer(8, Path(sys.argv[1]), None, callbacks)
    trainer.train()
    wrapped = type(trainer.model_wrapped).__name__
    print("RESULT", json.dumps({"wrapped": wrapped, "digests": digests}), flush=True)


if __name__ == "__main__":
    main()
