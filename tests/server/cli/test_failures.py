"""How a command ends when it does not succeed."""

from __future__ import annotations

import pytest

from gradgate.server.cli.choose_run import NoSuchRun
from gradgate.server.cli.errors import Broken, ClientError, Denied, Failed, Stranger, Unreachable
from gradgate.server.cli.failures import Failure, failing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoSuchRun("m"), 2),
        (Failed(404, "m"), 2),
        (Failed(422, "m"), 2),
        (Failed(409, "m"), 1),
        (Failed(503, "m"), 1),
        (Unreachable("m"), 3),
        (Broken("m"), 3),
        (Stranger("m"), 3),
        (Denied("m"), 4),
        (ClientError("m"), 1),
    ],
)
def test_each_fault_has_its_exit_code(error: Exception, code: int) -> None:
    """A script tells by it whether to try again, with what, or not at all."""
    with pytest.raises(Failure, match="m") as failed, failing():
        raise error
    assert failed.value.exit_code == code


def test_no_message_steers_the_terminal() -> None:
    """Whatever a job or a server put into it."""
    assert Failure("a\x1b[2Jb").message == "a\ufffd[2Jb"
