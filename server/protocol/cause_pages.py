"""The pages of `docs/causes/`: what each cause is, why nothing says so, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from .fields import Cause, UnaskedCause

# A sibling of this package in a checkout and in a wheel alike.
_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "causes"

CAUSES: tuple[str, ...] = (*get_args(Cause), *get_args(UnaskedCause))
"""Every cause, by the id that it has wherever it is told."""


@dataclass(frozen=True, slots=True)
class CausePage:
    """What there is to read of a cause."""

    cause: str
    title: str
    text: str
    """Markdown, its title included."""

    @property
    def headline(self) -> str:
        """The title where nothing stands before it, with a capital."""
        return self.title[0].upper() + self.title[1:]


def cause_page(cause: str) -> CausePage:
    """Return the page of one of `CAUSES`."""
    text = (_FOLDER / f"{cause}.md").read_text("utf-8")
    return CausePage(cause, text.splitlines()[0].removeprefix(f"# `{cause}`: "), text)
