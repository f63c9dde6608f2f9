"""TRL's SFTTrainer, whose base is the Trainer of Transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Trainer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from .transformers_trainer import CONFIG, TransformersTrainer, common, model, tokens


class Trl(TransformersTrainer):
    """The same Llama, on a text of numbers."""

    def trainer(
        self, steps: int, folder: Path, save_at: int | None, callbacks: list[TrainerCallback]
    ) -> Trainer:
        words = [" ".join(map(str, row["input_ids"].tolist())) for row in tokens()]
        data = Dataset.from_dict({"text": words})
        more: dict[str, Any] = {"max_length": 8, "dataset_num_proc": None, "bf16": False}
        return SFTTrainer(
            model(),
            SFTConfig(str(folder), **common(steps, save_at), **more),
            train_dataset=data,
            eval_dataset=data.select(range(4)),
            processing_class=tokenizer(),
            callbacks=callbacks,
        )


def tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer of numbers, without a download."""
    vocabulary = {str(number): number for number in range(CONFIG["vocab_size"] - 1)}
    vocabulary["end"] = CONFIG["vocab_size"] - 1
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="end"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="end", pad_token="end")


STACK = Trl()
