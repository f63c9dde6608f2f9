"""Compares the weights of the ranks of a distributed job, which ought to be alike."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..base.guard import Guard
from ..diagnosis.case import Finding
from ..diagnosis.update_causes import ReplicasDiffer
from ..distributed.ranks import Ranks
from ..distributed.reducers import holds_fsdp
from ..live.alerts import Alert, alert_of
from ..measure.checksums import checksums
from ..measure.local_part import Sharded, unreadable
from ..model.table import ParameterTable
from ..torch_compat.wrappers import Wrappers

logger = logging.getLogger("gradgate")

SLOTS = 16
"""Comparisons whose values lie in the store at a time: a rank may be that many ahead of another."""
NAMED = 4
"""Ranks that a sentence names."""


@dataclass(frozen=True)
class Fingerprint:
    """One rank's weights after a step, as it tells the others."""

    step: int
    table: int
    """A digest of the names and shapes: only ranks that have the same are compared."""
    sums: dict[str, int]
    """The checksum of each parameter, by its name."""
    constant: list[str]
    """Parameters that are one number all over, as scales and biases begin: that those agree says
    nothing of where they come from."""


class Replicas:
    """Has each rank post a digest of its weights now and then; the leader compares them.

    What goes through the store of the process group is no collective operation, and nobody waits
    for it. Buffers are left out, since each rank may have statistics of its own data, and so is
    what is sharded. That a parameter ought to be alike is known where it once was, with numbers
    that do not agree by chance: of tensor and expert parallel models the pieces never are.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        ranks: Ranks | None,
        wrappers: Wrappers,
        guard: Guard,
        every: int | None,
    ) -> None:
        """``every``: steps from one comparison to the next; None: there is none."""
        self._models = models
        self._table = table
        self._ranks = ranks
        self._guard = guard
        self._every = every
        self._wrappers = wrappers
        self.compared = 0
        """Steps that were compared."""
        self._begun = 0
        self._waiting: dict[str, int] = {}
        """The step of each comparison that is under way, by its topic."""
        self._alike: dict[str, int] = {}
        """By parameter: the latest step after which all ranks had it alike."""
        self._alert: Alert | None = None
        self._told_apart = False

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell that the ranks differ, once they do."""
        if self._alert is not None:
            yield self._alert

    def boundary(self, step: int) -> bool:
        """Tell the others of the weights after ``step`` if it is time, and hear what they had.

        Return whether they have turned out to differ.
        """
        if self._ranks is None or self._differ:
            return False
        if self._is_due(step):
            topic = f"replicas/{self._begun % SLOTS}"
            self._begun += 1
            with self._guard:
                mine = self._fingerprint(step)
                if mine is not None:
                    self._ranks.post(topic, vars(mine))
                    if self._ranks.leader:
                        self._waiting[topic] = step
        for topic, asked in list(self._waiting.items()):
            with self._guard:
                self._collect(self._ranks, topic, asked)
        return self._differ

    @property
    def _differ(self) -> bool:
        return self._alert is not None

    def _is_due(self, step: int) -> bool:
        """Return whether to compare: after steps 0, 1, 2, 4, 8 … and then at a set pace."""
        if self._every is None:
            return False
        return step % self._every == 0 or (step < self._every and step & (step - 1) == 0)

    def _fingerprint(self, step: int) -> Fingerprint | None:
        if holds_fsdp(self._models):
            return None
        chosen = {
            self._table.name(index): parameter
            for index, parameter in enumerate(self._table.parameters)
            if index not in self._table.removed and _is_comparable(parameter)
        }
        shapes = [(name, list(parameter.shape)) for name, parameter in chosen.items()]
        return Fingerprint(
            step,
            zlib.crc32(repr(shapes).encode()),
            dict(zip(chosen, checksums(list(chosen.values())), strict=True)),
            [n for n, p in chosen.items() if n not in self._alike and _is_constant(p)],
        )

    def _collect(self, ranks: Ranks, topic: str, step: int) -> None:
        said = ranks.collect(topic)
        if said is None or self._differ:
            return
        prints = {rank: Fingerprint(**value) for rank, value in said.items()}
        steps = {each.step for each in prints.values()}
        if min(steps) < step:
            return  # of a comparison long ago: that of now is on its way
        del self._waiting[topic]
        if steps != {step}:
            return
        others = [rank for rank, each in prints.items() if each.table != prints[0].table]
        if not others:
            self._compare(step, prints)
        elif not self._told_apart:
            self._told_apart = True
            logger.warning(
                "gradgate: %s has a model of other parameters than rank 0, whose alone is shown "
                "and steered; attach with alone=True where each process trains a model of its "
                "own, such as a stage of a pipeline, and each is a run of its own.",
                _named(others),
            )

    def _compare(self, step: int, prints: Mapping[int, Fingerprint]) -> None:
        self.compared += 1
        first = prints[0]
        differing: dict[str, list[int]] = {}
        for name, own in first.sums.items():
            others = [rank for rank, each in prints.items() if each.sums[name] != own]
            if others:
                differing[name] = others
            elif name not in first.constant:
                self._alike[name] = step
        apart = [name for name in differing if name in self._alike]
        if apart:
            name = apart[0]
            self._tell(step, self._apart(name, _named(differing[name]), step))
        elif step > 1 and differing and not self._alike and self._trains_alone(differing):
            name = next(iter(differing))
            self._tell(step, ReplicasDiffer.never_alike(name, _named(differing[name])))

    def _apart(self, name: str, ranks: str, step: int) -> Finding:
        alike, parameter = self._alike[name], self._parameters([name])
        if self._wrappers.reducing(parameter):
            return ReplicasDiffer.despite_ddp(name, ranks, step, alike)
        return ReplicasDiffer.apart(name, ranks, step, alike)

    def _trains_alone(self, differing: Mapping[str, list[int]]) -> bool:
        """Return whether all that trains differs, and no DDP holds any of it."""
        names = {
            self._table.name(i) for i, p in enumerate(self._table.parameters) if p.requires_grad
        }
        return names <= differing.keys() and not self._wrappers.reducing(self._parameters(names))

    def _parameters(self, names: Iterable[str]) -> list[Tensor]:
        return [self._table.parameters[self._table.index_of_name(name)] for name in names]

    def _tell(self, step: int, found: Finding) -> None:
        self._alert = alert_of(found, None, None, step)


def _is_comparable(parameter: Tensor) -> bool:
    return unreadable(parameter) is None and not isinstance(parameter, Sharded)


def _is_constant(parameter: Tensor) -> bool:
    values = parameter.detach().flatten()
    return not values.numel() or bool((values == values[0]).all())


def _named(ranks: Sequence[int]) -> str:
    told = ", ".join(map(str, ranks[:NAMED]))
    more = f" and {len(ranks) - NAMED} more" if len(ranks) > NAMED else ""
    return f"rank{'' if len(ranks) == 1 else 's'} {told}{more}"
