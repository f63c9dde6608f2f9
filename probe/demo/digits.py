"""The UCI optical digits: 1,797 handwritten digits of 8 by 8 pixels, shipped with the package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ARCHIVE = Path(__file__).parent / "data" / "digits.npz"
BRIGHTEST = 16
CLASSES = 10


class Digits(NamedTuple):
    """Images of shape (n, 1, 8, 8) in 0…1 and their labels of shape (n,)."""

    images: Tensor
    labels: Tensor


def load() -> Digits:
    """Read all images, in the order of the original file."""
    with np.load(ARCHIVE) as archive:
        images = torch.from_numpy(archive["images"])
        labels = torch.from_numpy(archive["labels"])
    return Digits(images.float().div(BRIGHTEST).unsqueeze(1), labels.long())


def split(digits: Digits) -> tuple[Digits, Digits]:
    """Split into training and test images: of each class, every fifth image is for the test.

    The file repeats the classes in order, so a stride over the whole file would be lopsided.
    """
    is_test = torch.zeros(len(digits.labels), dtype=torch.bool)
    for label in range(CLASSES):
        members = (digits.labels == label).nonzero().squeeze(1)
        is_test[members[4::5]] = True
    return (
        Digits(digits.images[~is_test], digits.labels[~is_test]),
        Digits(digits.images[is_test], digits.labels[is_test]),
    )
