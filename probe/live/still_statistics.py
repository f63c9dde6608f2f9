"""Running statistics that are expected to stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from ..base.targets import resolve
from ..measure.checksums import checksums
from ..model.table import is_uninitialized
from ..torch_compat.modules import keeps_statistics
from ..torch_compat.versions import version
from .alerts import Alert

AT_ONCE = 8
"""Buffers whose bits are compared with each sample, in turn: most that change count it."""
NAMED = 3
"""Modules that a sentence names."""


class StillStatistics:
    """Compares the buffers of normalisation modules with how they were."""

    def __init__(self, patterns: Sequence[str], models: Mapping[str, nn.Module]) -> None:
        """Raise :class:`TargetError` for a pattern that names no running statistics."""
        found = _statistics(models)
        names = [[name] for name in found]
        every = {index for pattern in patterns for index in resolve(pattern, names)}
        self._buffers = {names[index][0]: found[names[index][0]] for index in sorted(every)}
        self._seen: dict[str, tuple[int, int]] = {}
        """The count of writes of each, and its bits."""
        self._moved: dict[str, int] = {}
        self._turn = 0
        self.forget_bits()

    def receive(self, step: int) -> None:
        """Look whether something has changed by the end of ``step``, of which a sample came."""
        still = [name for name in self._buffers if name not in self._moved]
        written = [n for n in still if version(self._buffers[n]) != self._seen[n][0]]
        turn = [still[(self._turn + i) % len(still)] for i in range(min(AT_ONCE, len(still)))]
        self._turn += AT_ONCE
        for name in self._look({*written, *turn}):
            self._moved[name] = step

    def forget_bits(self) -> None:
        """Take the statistics as they are now: the script has loaded others."""
        self._look(self._buffers)

    def find(self) -> Iterator[Alert]:
        """Tell of those that have moved, all together: they are no parameters."""
        if not self._moved:
            return
        modules = list(dict.fromkeys(name.rpartition(".")[0] for name in self._moved))
        named = ", ".join(f"`{path}`" for path in modules[:NAMED])
        more = f" and {len(modules) - NAMED} more" if len(modules) > NAMED else ""
        step = min(self._moved.values())
        yield Alert(
            None,
            None,
            step,
            cause="not_frozen",
            detail=f"The running statistics of {named}{more} are expected to stay as they are, and "
            f"have changed by the end of step {step}: put the modules in eval mode after each "
            "model.train(), or freeze them and hold running statistics.",
        )

    def _look(self, names: Iterable[str]) -> list[str]:
        """Keep the bits of these as they are now; return those that were others before."""
        looked_at = list(names)
        bits = checksums([self._buffers[name] for name in looked_at])
        changed = []
        for name, now in zip(looked_at, bits, strict=True):
            before = self._seen.get(name)
            self._seen[name] = version(self._buffers[name]), now
            if before is not None and before[1] != now:
                changed.append(name)
        return changed


def _statistics(models: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return the buffers of every module that keeps running statistics, by name."""
    return {
        ".".join(part for part in (key, path, name) if part): buffer
        for key, model in models.items()
        for path, module in model.named_modules()
        if keeps_statistics(module)
        for name, buffer in module.named_buffers(recurse=False)
        if not (buffer.is_meta or is_uninitialized(buffer))
    }
