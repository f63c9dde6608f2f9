"""The data that the demo ships."""

from __future__ import annotations

import torch

from gradgate.probe.demo import digits

PER_CLASS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_every_image_is_shipped_unchanged() -> None:
    """Counts, per-class counts and the sum of all pixels are those of UCI's test part."""
    images, labels = digits.load()

    assert images.shape == (1797, 1, 8, 8)
    assert torch.bincount(labels).tolist() == PER_CLASS
    assert images.min() == 0
    assert images.max() == 1
    assert (images.double() * digits.BRIGHTEST).sum() == 561_718


def test_licence_names_the_authors_the_source_and_the_change() -> None:
    """CC BY 4.0 asks for attribution, a link to the licence and a note of what was changed."""
    text = (digits.ARCHIVE.parent / "LICENSE.txt").read_text()

    for wanted in ("E. Alpaydin", "C. Kaynak", "10.24432/C50P49", "CC BY 4.0", "What was changed"):
        assert wanted in text


def test_split_is_fixed_and_covers_every_image_once() -> None:
    """A fifth of each class is for the test, and both parts together are the whole."""
    whole = digits.load()
    training, test = digits.split(whole)

    assert torch.bincount(test.labels).tolist() == [count // 5 for count in PER_CLASS]
    assert len(training.labels) + len(test.labels) == len(whole.labels)
    rejoined = torch.cat([training.images, test.images]).flatten(1)
    assert torch.equal(by_rows(rejoined), by_rows(whole.images.flatten(1)))


def by_rows(images: torch.Tensor) -> torch.Tensor:
    """Sort the rows, so that two sets of images can be compared."""
    return images[sorted(range(len(images)), key=lambda row: images[row].tolist())]
