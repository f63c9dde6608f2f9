"""A PEFT model with LoRA adapters, in the Trainer of Transformers."""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from .transformers_trainer import TransformersTrainer, model


class Peft(TransformersTrainer):
    """The same Llama, of which only adapters train."""

    frozen = "base_model.model.model.layers.0"
    gated = "base_model.model.model.layers.1.mlp"

    def model(self) -> nn.Module:
        torch.manual_seed(3)
        return get_peft_model(model(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))


STACK = Peft()
