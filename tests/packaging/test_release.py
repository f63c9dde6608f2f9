"""What `make release` says when it cannot begin."""

from __future__ import annotations

import re
import sys

import pytest

from tests.packaging.release import ReleaseError, find_oldest


def test_the_oldest_python_is_looked_for_and_missed() -> None:
    """An interpreter that is not there is named, with the version and what to do."""
    with pytest.raises(
        ReleaseError,
        match=r"no-such-python does not run, and gradgate promises Python 3\.10: .*OLDEST_PYTHON=",
    ):
        find_oldest("3.10", "no-such-python")


def test_another_python_does_not_pass_for_the_oldest() -> None:
    """The interpreter that is given has the version that is promised, or is refused."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"

    assert find_oldest(own, sys.executable) == sys.executable
    with pytest.raises(ReleaseError, match=re.escape(f"{sys.executable} is Python {own}, and")):
        find_oldest("3.1", sys.executable)
