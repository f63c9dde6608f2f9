"""What every cause has: a word that is sent, and findings that it makes."""

from __future__ import annotations

from typing import ClassVar

from ..base.source import Place
from .case import Finding
from .phrases import phrase
from .tape import Call, Value


class Cause:
    """A reason why a gradient is missing or of no use; each method gives a finding of it."""

    word: ClassVar[str]
    """As the wire protocol has it."""

    @classmethod
    def _found(
        cls,
        detail: str,
        advice: str,
        place: Place | None = None,
        way: list[Value] | None = None,
        stop: Value | None = None,
        stopped_by: str = "",
    ) -> Finding:
        return Finding(cls.word, detail, advice, place, way or [], stop, stopped_by)

    @classmethod
    def _at_call(
        cls, detail: str, advice: str, call: Call, way: list[Value], stop: Value | None
    ) -> Finding:
        return cls._found(detail, advice, call.place, way, stop, phrase(call).strip("`"))
