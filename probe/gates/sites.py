"""Places where gradient flow can be gated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from ..base.errors import CommandError, TargetError

PARAMETER, OUTPUT, INPUT, LABEL = "param", "output", "input", "site"
KINDS = (PARAMETER, OUTPUT, INPUT, LABEL)
LONGEST_LABEL = 500


@dataclass(frozen=True)
class Site:
    """``param:NAME``, ``output:MODULE``, ``input:MODULE`` or ``site:LABEL``."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Site:
        """Read a site as people write it; raises :class:`CommandError`."""
        kind, colon, name = text.partition(":")
        if not colon or kind not in KINDS:
            raise CommandError(
                f"{text!r} is no site; give param:NAME, output:MODULE, input:MODULE or site:LABEL."
            )
        if kind in (PARAMETER, LABEL) and not name:
            raise CommandError(f"{text!r} names nothing; give a name after the colon.")
        if len(name) > LONGEST_LABEL:
            raise CommandError(f"the name of a site has {LONGEST_LABEL} characters at most.")
        return cls(kind, name)

    @property
    def text(self) -> str:
        """The site as people write it."""
        return f"{self.kind}:{self.name}"

    def must_be_one_of(self, names: Collection[str]) -> None:
        """Raise :class:`TargetError`, naming the nearest, when ``names`` has no such name."""
        if self.name in names:
            return
        what = "parameter" if self.kind == PARAMETER else "module"
        nearest = get_close_matches(self.name, sorted(names), n=3, cutoff=0.5)
        hint = ""
        if nearest:
            hint = ": did you mean " + " or ".join(repr(name) for name in nearest) + "?"
        raise TargetError(f"{self.text!r} names no {what} of this run{hint or '.'}")
