"""When a trend is worth telling: what a script can set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """``attach(..., thresholds=Thresholds(exploding=1000))``; docs/explaining.md says more."""

    samples: int = 10
    """Samples, or looks at weights, that a trend has to last."""
    exploding: float = 100.0
    """Growth of the gradients' norm, from the samples before to the latest, that is a trend."""
    exploding_ratio: float = 1e4
    """Norm of the gradients to that of the weights, above which they are too large."""
    vanishing: float = 1e-7
    """Size of the first layers' gradients to that of the last, below which they vanish."""
    update_ratio: tuple[float, float] = (1e-6, 1e-1)
    """Norm of a step's change to that of the weights: what is outside is far too small or large."""
    dead_units: float = 0.1
    """Share of a layer's units without a gradient from which on it is told."""
    skipped_steps: int = 20
    """Steps in a row that a gradient scaler skips until it is an alert: so many times it has
    halved its factor, 65,536 by default."""
    warmup_steps: int = 100
    """Steps for which a schedule may keep a learning rate at 0 from the beginning on."""
    replica_steps: int | None = 1000
    """Steps from one comparison of the ranks' weights to the next; the first ones come sooner.
    None: they are never compared."""

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be."""
        for name in ("samples", "skipped_steps", "warmup_steps", "replica_steps"):
            value = getattr(self, name)
            if not (value is None and name == "replica_steps") and (
                not isinstance(value, int) or value < 1
            ):
                raise ValueError(f"{name}={value!r}: give a whole number from 1 up.")
        lowest, highest = self.update_ratio
        if not 0 <= lowest < highest:
            raise ValueError(f"update_ratio={self.update_ratio!r}: give the lower limit first.")


DEFAULT = Thresholds()
