"""Lets torchvision be imported beside a torch that it was not built for.

Its wheel on PyPI is built for torch with CUDA, and beside a torch without its operators do not
load. No model here calls one of them; they only have to be declared.
"""

from __future__ import annotations

import sys

import torch

DECLARATION = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def importable() -> None:
    """Declare the operators that torchvision looks for when it is imported, where it has none."""
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", DECLARATION)
        import torchvision  # noqa: F401
