"""`gradgate gate`, `ungate` and `gates` against a real server and a job that the test plays."""

from __future__ import annotations

import pytest

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, gate, hello
from tests.support.serving import ServerProcess

WITHIN = 30


def test_a_gate_is_followed_until_it_is_verified(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Each state is a line, in order, and the job gets what was asked, from `cli`."""
    options = ("--when", "norm > 10", "--action", "scale", "--factor", "-1", "--hold", "5")
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        ended = terminal.start("gate", run, "output:a", *options, "--server", shared_server.url)
        command = probe.until_command(1)
        probe.report(1, 1, "delivered")
        probe.report(2, 1, "applied", step=1341, gate=3)
        probe.until_acked(2)
        assert not ended.done()
        probe.report(3, 1, "verified", detail="decided in step 1342")
        result = ended.result(WITHIN)
    assert (command["site"], command["when"], command["action"]) == (
        *("output:a", "norm > 10", "scale"),
    )
    assert (command["factor"], command["hold"], command["by"]) == (-1, 5, "cli")
    assert (command["max_norm"], command["paused"], command["gate"]) == (None, False, None)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "requested   command 1: gate output:a (scale by -1 when norm > 10, held for 5 steps) "
        f"in job {run} ({run})",
        "delivered",
        "applied     at step 1,341: gate 3",
        "verified    decided in step 1342",
    ]


def test_a_gate_that_the_job_rejects_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The exit code is 1, and the sentence has the job's reason."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("gate", run, "output:x", "--server", shared_server.url)
        probe.until_command(1)
        probe.report(1, 1, "rejected", reason="there is no module 'x'")
        result = ended.result(WITHIN)
    assert result.exit_code == 1
    assert result.stderr == "Error: Command 1 was rejected: there is no module 'x'\n"


def test_a_trial_says_when_it_would_have_been_closed(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """And makes no gate; of many steps the latest are listed."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start(
            *("gate", run, "param:a.weight", "--when", "norm > 2", "--try"),
            *("--server", shared_server.url),
        )
        question = probe.until_question()
        assert (question["type"], question["site"]) == ("trial", "param:a.weight")
        steps = list(range(1001, 1013))
        probe.answer_trial(question, closed=steps, samples=1000, missing=["lr"])
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Would have been closed in 12 of the last 1,000 samples.",
        "  at steps (latest first): 1,012, 1,011, 1,010, 1,009, 1,008, 1,007, 1,006, 1,005, 1,004, "
        "1,003 and 2 more",
        "  no history of: lr",
        "  ! The recorded norms are those that the optimizer was given.",
    ]
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_trial_without_a_history_says_so(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Nothing played is not the same as never closed."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("gate", run, "site:x", "--try", "--server", shared_server.url)
        probe.answer_trial(probe.until_question(), closed=None, samples=0, notes=[])
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stdout == "There is no history to try 'True' on.\n"


def test_a_condition_that_is_none_is_marked(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With the place under the condition, and the job's sentence."""
    fault = {"message": "`>>` is no operator of conditions\n  norm >> 2\n       ^", "column": 5}
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start(
            *("gate", run, "output:a", "--when", "norm >> 2", "--try"),
            *("--server", shared_server.url),
        )
        probe.answer_trial(probe.until_question(), error=fault, closed=None, samples=0)
        result = ended.result(WITHIN)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "  norm >> 2",
        "       ^",
        "Error: `>>` is no operator of conditions",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("weight:a",), "'weight:a' is no site"),
        (("output:a", "--action", "scale"), "a gate that scales wants `factor`"),
        (("output:a", "--action", "clip"), "a gate that clips wants `max_norm`"),
        (("output:a", "--action", "clip", "--max-norm", "0"), "max_norm: Input should be greater"),
        (("output:a", "--factor", "2"), "`factor` is for a gate that scales"),
        (("output:a", "--factor", "nan", "--action", "scale"), "factor: Input should be a finite"),
        (("output:a", "--hold", "-1"), "hold: Input should be greater than or equal to 0."),
        (("output:a", "--when", "1" * 1001), "when: String should have at most 1000 characters."),
        (("output:a", "--action", "stop"), "'stop' is not one of"),
        (("weight:a", "--try"), "'weight:a' is no site"),
    ],
)
def test_a_wrong_gate_is_not_asked_for(
    terminal: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    """The exit code is 2, with a sentence on the option, before any server is asked."""
    result = terminal.run("gate", "a", *arguments, "--server", "http://127.0.0.1:9")
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        (("--edit", "2", "--when", "loss > 3"), {"when": "loss > 3"}),
        (("--edit", "2", "--max-norm", "4", "--hold", "0"), {"max_norm": 4.0, "hold": 0}),
        (("--edit", "2", "--action", "block"), {"action": "block", "max_norm": None}),
        (
            ("--edit", "2", "--action", "scale", "--factor", "0.5"),
            {"action": "scale", "factor": 0.5, "max_norm": None},
        ),
        (("input:b", "--edit", "2"), {"site": "input:b"}),
        (("--resume", "2"), {"paused": False}),
        (("--pause", "1"), {"gate": 1, "paused": True, "action": "block", "hold": 0}),
    ],
)
def test_a_gate_is_changed_where_options_say_so(
    shared_server: ServerProcess,
    run: str,
    terminal: Terminal,
    arguments: tuple[str, ...],
    changes: dict[str, object],
) -> None:
    """What is not given stays as the job last reported it, and so does the number."""
    was = {"site": "output:a", "when": "norm > 10", "action": "clip", "factor": None}
    was |= {"max_norm": 2.5, "hold": 7, "paused": True, "gate": 2}
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(1), gate(2, action="clip", max_norm=2.5, hold=7, paused=True))
        probe.until_acked(1)
        asked = ("gate", run, *arguments, "--no-wait", "--server", shared_server.url)
        result = terminal.run(*asked)
        assert result.exit_code == 0, result.stderr
        command = probe.until_command(1)
    wanted = {**was, **changes}
    if wanted["gate"] == 1:
        wanted["max_norm"] = None
    assert {name: command[name] for name in wanted} == wanted
    assert command["by"] == "cli"


def test_a_change_is_tried_on_the_gate_that_it_is_of(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """`--edit` with `--try` asks about the gate as it would be, and changes nothing."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(2, hold=7, paused=True))
        probe.until_acked(1)
        arguments = ("--edit", "2", "--when", "norm > 1", "--try", "--server", shared_server.url)
        ended = terminal.start("gate", run, *arguments)
        asked = probe.until_question()
        probe.answer_trial(asked, closed=[3], samples=5)
        result = ended.result(WITHIN)
    assert (asked["site"], asked["when"], asked["hold"]) == ("output:a", "norm > 1", 7)
    assert "closed in 1 of the last 5 samples" in result.stdout
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_a_gate_that_is_not_there_is_not_changed(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The exit code is 2, and the gates that there are are named."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(1), gate(4))
        probe.until_acked(1)
        result = terminal.run("gate", run, "--pause", "3", "--server", shared_server.url)
    assert result.exit_code == 2
    assert "This run has no gate 3; it has 1, 4." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give a SITE to gate"),
        (("--edit", "1"), "--edit changes what is given with it"),
        (("--pause", "1", "--resume", "1"), "--pause and --resume go alone"),
        (("--pause", "1", "--hold", "3"), "--pause and --resume go alone"),
        (("--resume", "1", "--try"), "--pause and --resume go alone"),
    ],
)
def test_changes_that_make_no_sense_are_not_asked_for(
    terminal: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    """The exit code is 2, before any server is asked."""
    result = terminal.run("gate", "a", *arguments, "--server", "http://127.0.0.1:9")
    assert result.exit_code == 2
    assert sentence in result.stderr
