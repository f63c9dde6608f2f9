"""When gradients stopped being finite, and what was known of the weights then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Onset:
    """The beginning of a row of samples with NaN or infinity; parameters are by ``id``."""

    step: int
    """Of the first sample in which a gradient was not finite."""
    finite_at: int | None
    """The step of the sample before it, in which all were finite; None: it was the first."""
    spoilt: frozenset[int]
    """Whose gradients were not finite in that step."""
    sound: frozenset[int]
    """Whose gradients were finite in that step, though not absent."""
    weights_before: frozenset[int] | None
    """The weights that were not finite before the optimizer applied them; None: nobody looked."""
    weights: frozenset[int] = frozenset()
    """The weights that were not finite when somebody looked last."""

    @property
    def alone(self) -> bool:
        """Return whether the step before it was sampled, so that it began in this very step."""
        return self.finite_at == self.step - 1 or self.step == 1
