"""A callback of fastai's Learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastai.callback.core import Callback
from fastai.optimizer import OptimWrapper

from ..session.run import Run
from .library_run import AttachOptions, HoldsRun, LibraryRun

if TYPE_CHECKING:
    from typing_extensions import Unpack


class GradgateCallback(HoldsRun, Callback):
    """Watches what a Learner fits: ``Learner(..., cbs=[GradgateCallback()])``.

    It takes the options of :func:`gradgate.probe.attach`. A Learner saves nothing of its
    callbacks: ``state_dict`` and ``load_state_dict`` are for the script's own checkpoint. It tells
    them nothing when training raises: the run then fails with the process, also where something
    catches the error, or at the end of ``with GradgateCallback() as callback:``.
    """

    order = 100
    """After fastai's own, such as the one that keeps what is logged."""
    run = True  # type: ignore[assignment]
    """Of fastai: whether the callback is at work. The run is :attr:`gradgate_run`."""

    def __init__(self, **options: Unpack[AttachOptions]) -> None:
        super().__init__()
        self.library_run = LibraryRun("fastai", "2", options)
        self._by_hand = False

    @property
    def gradgate_run(self) -> Run | None:
        """The run, while there is one."""
        return self.library_run.run

    def before_fit(self) -> None:
        """Attach; fastai's own optimizers are none of torch's, so each step is marked."""
        optimizer = self.learn.opt
        self._by_hand = not isinstance(optimizer, OptimWrapper)
        inner = None if self._by_hand else optimizer.opt
        self.library_run.begin(self.learn.model, inner, by_hand=self._by_hand)

    def before_step(self) -> None:
        """Mark a step of fastai's own optimizer, before it applies what gates have left zero."""
        if self._by_hand:
            self.library_run.step()

    def after_batch(self) -> None:
        """Log the loss of a batch that was trained."""
        if self.learn.training:
            self.library_run.log({"loss": self.learn.loss.detach()})

    def after_epoch(self) -> None:
        """Log what the Learner shows of an epoch: its losses and metrics."""
        recorder = self.learn.recorder
        self.library_run.log(dict(zip(recorder.metric_names, recorder.log, strict=False)))

    def after_fit(self) -> None:
        """End the run."""
        self.library_run.end()

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen and gated, for the script's own checkpoint."""
        return self.library_run.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Bring about what a checkpoint has, once fitting begins."""
        self.library_run.load_state_dict(state)
