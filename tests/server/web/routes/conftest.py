"""A run that the routes of runs and of histories are asked about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.probing import FakeProbe, hello, table_row
from tests.support.serving import ServerProcess


@pytest.fixture
def probe(shared_server: ServerProcess, run: str) -> Iterator[FakeProbe]:
    """A probe of a run with three parameters, one of them frozen by the script."""
    table = [
        table_row("encoder.weight", names=["encoder.weight", "decoder.weight"], shape=[4, 2]),
        table_row("encoder.bias", in_optimizer=False),
        table_row("head.weight", requires_grad=False),
    ]
    with FakeProbe(shared_server, hello(run, parameters=table)) as connected:
        yield connected
