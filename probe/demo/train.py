"""Train the digit model: a training script like any other, with one line for the dashboard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from threading import Event

import torch
from torch.nn import functional as F
from tqdm import tqdm

from gradgate import probe

from .digits import Digits, load, split
from .model import DigitModel, Output

BATCH = 64
EVALUATE_EVERY = 25


def train(steps: int | None, seed: int, server: str | None, stop: Event) -> float:
    """Train for so many steps, or until `stop` is set; return the test accuracy, 0…1."""
    torch.manual_seed(seed)
    training, test = split(load())
    model = DigitModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    run = probe.attach(model, optimizer, name="digits", server=server)

    numbers = itertools.count(1) if steps is None else range(1, steps + 1)
    progress = tqdm(numbers, desc="training", total=steps, unit="step", disable=None)
    for step, batch in zip(progress, batches(training), strict=False):
        output: Output = model(batch.images)
        loss = total_loss(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_momentum_encoder()
        run.log(loss=loss.item())

        if step % EVALUATE_EVERY == 0:
            test_accuracy = accuracy(model, test)
            run.log(test_accuracy=test_accuracy)
            progress.set_postfix(loss=f"{loss.item():.3f}", accuracy=f"{test_accuracy:.1%}")
            if progress.disable:
                line = f"step {step}: loss {loss.item():.3f}, test accuracy {test_accuracy:.1%}"
                print(line, flush=True)
        if stop.is_set():
            break

    progress.close()
    run.detach()
    return accuracy(model, test)


def batches(digits: Digits) -> Iterator[Digits]:
    """Yield full batches for ever, shuffled anew in each epoch."""
    while True:
        for indexes in torch.randperm(len(digits.labels)).split(BATCH)[:-1]:
            yield Digits(digits.images[indexes], digits.labels[indexes])


def total_loss(output: Output, batch: Digits) -> torch.Tensor:
    """Add up the losses of the classifier, of the decoder and against the momentum encoder."""
    classification = F.cross_entropy(output.logits, batch.labels)
    reconstruction = F.mse_loss(output.reconstruction, batch.images)
    similarity = F.cosine_similarity(output.features, output.momentum_features).mean()
    return classification + reconstruction + 0.1 * (1 - similarity)


@torch.no_grad()
def accuracy(model: DigitModel, digits: Digits) -> float:
    """Return the share of digits that the model classifies correctly."""
    model.eval()
    output: Output = model(digits.images)
    model.train()
    correct = output.logits.argmax(dim=1) == digits.labels
    return correct.float().mean().item()
