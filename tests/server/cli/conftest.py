"""A terminal in this process."""

from __future__ import annotations

import pytest

from tests.support.commanding import Terminal


@pytest.fixture
def terminal() -> Terminal:
    """Runs `gradgate` commands."""
    return Terminal()
