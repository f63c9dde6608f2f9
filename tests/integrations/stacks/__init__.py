"""Ways to train with libraries, each a module whose one class trains a tiny model.

``STACKS`` names them as docs/compatibility.md does, and imports nothing.
"""

STACKS = {
    "Transformers: `Trainer`": "transformers_trainer",
    "TRL: `SFTTrainer`": "trl_sft",
    "PEFT: LoRA, in the `Trainer`": "peft_lora",
    "timm: its models and optimizers, in a loop": "timm_loop",
}
"""The module of each stack, by its name in docs/compatibility.md."""
