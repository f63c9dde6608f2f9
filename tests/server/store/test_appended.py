"""What another server appended, whatever was merged of it since."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.appended import read_samples
from gradgate.server.store.samples import append_samples
from tests.server.store.levels.conftest import merge_all, noise, sample


@pytest.mark.parametrize(("first", "last"), [(0, 19), (3, 3), (3, 10), (7, 19), (19, 25)])
def test_samples_are_there_when_their_commits_were_put_together(
    connection: Connection, open_with: Callable[[int], str], first: int, last: int
) -> None:
    """Those that were announced, and none beside them."""
    made = noise(open_with(2), 20, 2)
    for place in range(20):
        append_samples(connection, made.run, place, [sample(made, place)])
    assert merge_all(connection, made.run)
    found = read_samples(connection, made.run, first, last)
    assert [each.step for each in found] == list(range(first, min(last, 19) + 1))
    for each in found:
        np.testing.assert_array_equal(each.states, made.states[each.step])
        norms = each.values[int(Statistic.GRAD_NORM)]
        np.testing.assert_array_equal(norms, made.norms[each.step])
