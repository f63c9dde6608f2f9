"""Where, in a backward, a gradient on its way to a leaf turned into nothing, zeros or NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .backward_record import Passage

BACKWARD, ROOT, HOOK, SUM = "backward", "root", "hook", "sum"


@dataclass(frozen=True)
class Stoppage:
    """Where it turned bad, and by what."""

    passage: Passage
    by: str
    """``backward``: of the node; ``root``: what the backward was given was bad already; ``hook``:
    one on the tensor changed it before it arrived; ``sum``: what arrived from several cancels."""


def is_nothing(size: float | None) -> bool:
    """No gradient at all."""
    return size is None


def is_zero(size: float | None) -> bool:
    """No gradient, or all zeros."""
    return size is None or size == 0


def is_nonfinite(size: float | None) -> bool:
    """With an infinity or a NaN in it."""
    return size is not None and not math.isfinite(size)


def arrived(leaves: Iterable[Passage]) -> bool:
    """Whether a gradient reached a leaf."""
    return any(above.sent(edge) is not None for leaf in leaves for above, edge in leaf.above)


def stoppages(leaves: Iterable[Passage], bad: Callable[[float | None], bool]) -> list[Stoppage]:
    """Where it turned bad on each way to a leaf; the nearest to the loss is the first."""
    pending = list(leaves)
    visited: set[int] = set()
    found: list[Stoppage] = []
    while pending:
        passage = pending.pop()
        if id(passage) in visited:
            continue
        visited.add(id(passage))
        ways = [(above, above.sent(edge)) for above, edge in passage.above]
        worse = [above for above, sent in ways if bad(sent)]
        if passage.root:
            found.append(Stoppage(passage, ROOT))
        elif len(worse) < len(ways) and (bad is not is_nonfinite or not worse):
            found.append(Stoppage(passage, SUM if len(ways) > 1 else HOOK))
            continue
        for above in worse:
            if bad(above.came):
                pending.append(above)
            else:
                found.append(Stoppage(above, BACKWARD))
    return sorted(found, key=lambda stop: stop.passage.order or math.inf)
