"""Why there is no callback for Keras 3 on torch."""

from __future__ import annotations

import numpy as np
import pytest


def test_a_model_of_keras_has_no_module_for_a_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once that is otherwise a callback can be made."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras

    layers = [keras.Input((2,)), keras.layers.Dense(2, name="body"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="mse")
    model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0)
    assert not any("body" in name for name, _ in model.named_modules())
