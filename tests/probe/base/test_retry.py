"""Reading what another thread changes."""

from __future__ import annotations

import pytest

from gradgate.probe.base.retry import consistently


def test_reading_is_repeated_only_for_what_changes_under_it() -> None:
    """Ten times at most; another error is nobody's to swallow."""
    calls: list[int] = []

    def read(failures: int, message: str = "dictionary changed size during iteration") -> int:
        calls.append(1)
        if len(calls) <= failures:
            raise RuntimeError(message)
        return 7

    assert consistently(lambda: read(9)) == 7
    calls.clear()
    with pytest.raises(RuntimeError, match="during iteration"):
        consistently(lambda: read(99))
    assert len(calls) == 10
    calls.clear()
    with pytest.raises(RuntimeError, match="no such thing"):
        consistently(lambda: read(1, "no such thing"))
    assert len(calls) == 1
