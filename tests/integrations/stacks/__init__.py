"""Ways to train with libraries, each a module whose one class trains a tiny model.

``STACKS`` names them as docs/compatibility.md does, and imports nothing.
"""

STACKS = {
    "Transformers: `Trainer`": "transformers_trainer",
    "TRL: `SFTTrainer`": "trl_sft",
    "PEFT: LoRA, in the `Trainer`": "peft_lora",
    "Lightning: automatic optimization": "lightning_module",
    "Lightning: manual optimization, two optimizers": "lightning_manual",
    "Lightning: manual optimization, toggled optimizers": "lightning_toggled",
    "Accelerate: prepared objects, in a loop": "accelerate_loop",
    "Ignite: an `Engine`": "ignite_engine",
    "fastai: `Learner`, with its own optimizer": "fastai_learner",
    "fastai: `Learner`, with an optimizer of torch": "fastai_wrapped",
    "timm: its models and optimizers, in a loop": "timm_loop",
}
"""The module of each stack, by its name in docs/compatibility.md."""
