"""What the callback of Lightning does beside what every stack does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from torch import nn

from gradgate.probe import Run
from gradgate.probe.integrations.lightning import GradgateCallback

from .stacks.lightning_module import AfterSteps, Lightning

pytestmark = pytest.mark.xdist_group("lightning_module")


def fit(folder: Path, *callbacks: Callback, steps: int = 13) -> None:
    Lightning().fit(folder, list(callbacks), steps=steps)


def test_the_loss_and_what_the_module_logs_decide_gates(tmp_path: Path) -> None:
    """What the module logs in validation is there under its name, as are the loss of the module
    and its own metric, which are the same number."""
    callback = GradgateCallback(server=False, every=1)
    closed = []

    def look(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 7:
            run.gate("output:head", when="abs(loss - train_loss) < 1e-6 and val_loss > 0")
        closed.extend(gate.closed for gate in run.gates())
        return False

    fit(tmp_path, callback, AfterSteps(look, callback), steps=9)
    assert closed == [False, True, True]


def test_a_checkpoint_that_is_saved_after_the_end_has_what_was_frozen(tmp_path: Path) -> None:
    """``trainer.save_checkpoint`` is often the last line of a script."""
    callback = GradgateCallback(server=False)

    def freeze(step: int, model: nn.Module, run: Run | None) -> bool:
        assert run is not None
        if step == 1:
            run.freeze("body")
        return False

    module = Lightning().fit(tmp_path, [callback, AfterSteps(freeze, callback)], steps=2)
    assert callback.run is None
    module.trainer.save_checkpoint(tmp_path / "last.ckpt")
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    (state,) = (value for key, value in saved["callbacks"].items() if "Gradgate" in key)
    assert [freeze["parameters"] for freeze in state["freezes"]] == [["body.weight", "body.bias"]]


def test_the_trainer_of_pytorch_lightning_takes_the_same_callback(tmp_path: Path) -> None:
    """Both packages may be installed, and a script may use the older one."""
    import pytorch_lightning

    class Module(pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            states.append(callback.run is not None)
            return self.layer(batch).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    callback, states = GradgateCallback(server=False), []
    trainer = pytorch_lightning.Trainer(
        max_steps=3,
        callbacks=[callback],
        default_root_dir=tmp_path,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(Module(), torch.utils.data.DataLoader(torch.randn(8, 2)))
    assert states == [True] * 3
    assert callback.run is None
