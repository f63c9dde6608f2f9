"""A Learner of fastai around an optimizer of torch."""

from __future__ import annotations

from typing import Any

import torch
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper

from .fastai_learner import Fastai


class FastaiWrapped(Fastai):
    """The same layers, trained by AdamW."""

    def optimizer(self, parameters: Any, **more: Any) -> Any:
        return OptimWrapper(parameters, torch.optim.AdamW, **more)

    def inner(self, learner: Learner) -> Any:
        return learner.opt.opt


STACK = FastaiWrapped()
