"""Previews of a freeze or a thaw, and changes that cannot be asked for."""

from __future__ import annotations

import pytest

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

NOBODY = "http://127.0.0.1:9"


WITHIN = 30


def test_a_preview_shows_and_changes_nothing(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """What the job says is shown, and no command is made."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start(
            "freeze", run, "a.*", "--mode", "no_grad", "--preview", "--server", shared_server.url
        )
        question = probe.until_question()
        assert (question["target"], question["mode"]) == ("a.*", "no_grad")
        probe.answer(question)
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    head, *facts = result.stdout.splitlines()
    assert head.endswith(f"({run}): nothing is changed yet.")
    assert facts == [
        "  parameters          2: a.weight, a.bias",
        "  numbers             16, 25 % of the model",
        "  gradients           64 B freed",
        "  optimizer state     128 B kept",
        "  trainable then      4 parameters, 48 numbers",
        "  statistics go on in a.norm",
        "  cuts off            not known before the next step",
        "  ! The running statistics of a.norm go on.",
    ]
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_preview_that_the_job_refuses_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With the job's own sentence, of which nothing steers the terminal."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("thaw", run, "x", "--preview", "--server", shared_server.url)
        probe.answer(probe.until_question(), refused="'x' matches nothing \x1b[2J")
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stderr) == (1, "Error: 'x' matches nothing \ufffd[2J\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("runs", "--server", NOBODY), 3, f"No server answers at {NOBODY} (Connection refused)"),
        (("runs", "--server", "nonsense"), 2, "'nonsense' is no address of a dashboard"),
        (("runs", "--server", "http://x:99999"), 2, "is no address of a dashboard"),
        (("runs", "--token", "gehört mir"), 2, "--token is none that a server can have"),
        (("freeze", "a", "", "--server", NOBODY), 2, "A target has 1 to 512 characters"),
        (("freeze", "a", "b", "--reset-state"), 2, "No such option"),
        (("thaw", "a", "b", "--hold-stats"), 2, "No such option"),
        (("freeze", "a", "b", "--mode", "sideways"), 2, "'sideways' is not one of"),
    ],
)
def test_what_cannot_be_asked_is_said(
    terminal: Terminal, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """Without a server, or with a wrong option, one sentence says what to do."""
    result = terminal.run(*arguments)
    assert result.exit_code == code
    assert sentence in result.stderr


def test_a_limit_goes_with_a_freeze(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The job is told of both of its ends."""
    with FakeProbe(shared_server, hello(run)) as probe:
        options = ("--for-steps", "500", "--for-seconds", "600", "--no-wait")
        ended = terminal.start("freeze", run, "a.*", *options, "--server", shared_server.url)
        command = probe.until_command(1)
        result = ended.result(WITHIN)
    assert command["limit"] == {"steps": 500, "seconds": 600.0, "while_watched": False}
    assert result.exit_code == 0
    assert "for 500 steps or 10 min" in result.stdout
