"""The command `gradgate cause`."""

from __future__ import annotations

from gradgate.server.protocol.cause_pages import CAUSES, cause_page
from tests.support.commanding import Terminal


def test_a_cause_is_told(terminal: Terminal) -> None:
    """By its id, or by its words; all are listed, and of another the nearest are named."""
    text = cause_page("not_in_optimizer").text
    for words in (["not_in_optimizer"], ["Not-in-optimizer"], ["not", "in", "optimizer"]):
        assert terminal.run("cause", *words).stdout.rstrip() == text.rstrip()
    rows = terminal.run("cause").stdout.splitlines()
    assert [row.split()[0] for row in rows[1:]] == list(CAUSES)
    wrong = terminal.run("cause", "detach")
    assert wrong.exit_code == 2
    assert "Did you mean detached?" in wrong.stderr
