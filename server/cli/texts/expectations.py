"""What a script expects of its training, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.restraints import Restraints


def listed_expectations(trains: Sequence[str], restraints: Restraints) -> str:
    """Return what is expected, as what follows "which expects"; "" for nothing."""
    parts = [
        f"{', '.join(patterns)} {verb}"
        for patterns, verb in (
            (trains, "to train"),
            (restraints.frozen, "to stay frozen"),
            (restraints.frozen_stats, "to keep its running statistics"),
        )
        if patterns
    ]
    if restraints.share is not None:
        least, most = restraints.share
        parts.append(f"{least:.4g} to {most:.4g} of its numbers to be trainable")
    return "; ".join(parts)
