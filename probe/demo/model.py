"""A digit classifier with a denoising decoder, a momentum encoder and a few things that go wrong.

Each trouble is a plausible slip in a line of its own, so that a dashboard has something to explain.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .digits import CLASSES

FEATURES = 64
STYLE = 8


class ResidualBlock(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class Encoder(nn.Sequential):
    """Maps images (n, 1, 8, 8) to features (n, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.block1 = ResidualBlock(32, 32)
        self.block2 = ResidualBlock(32, FEATURES, stride=2)
        self.block3 = ResidualBlock(FEATURES, FEATURES)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Decoder(nn.Sequential):
    """Maps features and style (n, 72) back to images (n, 1, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Sequential(
            nn.Linear(FEATURES + STYLE, 32 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (32, 4, 4))
        )
        self.upsample = nn.Sequential(
            nn.ConvTranspose2d(32, 16, 2, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.paint = nn.Conv2d(16, 1, 3, padding=1)


class Output(NamedTuple):
    """What one forward pass returns."""

    logits: Tensor
    reconstruction: Tensor
    features: Tensor
    momentum_features: Tensor


class DigitModel(nn.Module):
    """Classifies digits and draws them again from a corrupted copy."""

    def __init__(self) -> None:
        super().__init__()
        self.corrupt = nn.Dropout(0.1)
        self.encoder = Encoder()
        self.momentum_encoder = copy.deepcopy(self.encoder)
        self.classifier = nn.Sequential(
            nn.Linear(FEATURES, FEATURES), nn.ReLU(), nn.Linear(FEATURES, CLASSES)
        )
        self.style = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, STYLE))
        self.decoder = Decoder()
        self.projection = nn.Linear(FEATURES, 32)

    def forward(self, images: Tensor) -> Output:
        """Run images (n, 1, 8, 8) through both encoders, the classifier and the decoder."""
        features = self.encoder(self.corrupt(images))
        with torch.no_grad():
            momentum_features = self.momentum_encoder(images)
        style = self.style(features)
        style = style.detach()
        reconstruction = self.decoder(torch.cat([features, style], dim=1))
        return Output(self.classifier(features), reconstruction, features, momentum_features)

    @torch.no_grad()
    def update_momentum_encoder(self, momentum: float = 0.99) -> None:
        """Move the momentum encoder a little towards the encoder."""
        pairs = zip(self.momentum_encoder.parameters(), self.encoder.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1 - momentum)
