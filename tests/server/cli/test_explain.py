"""`gradgate explain` and `alerts` against a real server and a job that the test plays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, alert, explanation, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

WITHIN = 30


def tell(probe: FakeProbe, *explanations: dict[str, Any], **more: Any) -> None:
    """Tell of a traced step, and wait until that is stored."""
    probe.explanations(1, 1342, *explanations, **more)
    probe.until_acked(1)


def test_the_job_is_asked_and_its_answer_printed(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The answer goes to stdout, once it is there; how it came about goes to stderr."""
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        tell(probe, explanation(1, "a.bias", cause="unknown"))
        ended = terminal.start("explain", run, "a.weight", "--server", shared_server.url)
        command = probe.until_command(1)
        probe.report(2, 1, "delivered")
        probe.until_acked(2)
        assert not ended.done()
        probe.explanations(3, 1343, explanation(), explanation(1, "a.bias"), command=1)
        probe.report(4, 1, "applied", step=1343, parameters=[0])
        result = ended.result(WITHIN)
    assert (command["kind"], command["target"], command["by"]) == ("explain", "a.weight", "cli")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"requested   command 1: explain a.weight in job {run} ({run})",
        "delivered",
        "applied     at step 1,343: 1 parameter (a.weight)",
    ]
    assert result.stdout.splitlines() == [
        f"step 1,343 of job {run} ({run}), traced in 0.25 s, 3.5 times a normal step",
        "",
        "a.weight: detached at train.py:41",
        "    `a.weight` reaches the loss only through `h.detach()` at train.py:41.",
        "    Remove `h.detach()` when the gradient ought to flow; it may be meant.",
        "      39 |     h = self.a(x)",
        "      40 |     # look at it",
        "    > 41 |     h = h.detach()",
        "      42 |     return self.head(h)",
        "      43 |",
    ]


def test_all_parameters_are_asked_about_by_default(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """And when none lacks a useful gradient, that is said; the exit code is 0 all the same."""
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        ended = terminal.start("explain", run, "--server", shared_server.url)
        assert probe.until_command(1)["target"] == "*"
        probe.explanations(1, 5, command=1, ratio=None)
        probe.report(2, 1, "applied", step=5)
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"step 5 of job {run} ({run}), traced in 0.25 s",
        "",
        "Every parameter has a useful gradient.",
    ]


def test_alerts_and_notes_of_the_target_follow(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """What an explanation says is not said twice."""
    arguments = ("explain", run, "--no-ask", "--server", shared_server.url)
    stays = {"cause": "not_moving", "where": "t.py:7"}
    weight = alert(0, detail="`a.weight` stays.", **stays)
    bias = alert(1, "a.bias", detail="`a.bias` stays.", **stays)
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        probe.alerts(1, weight, bias, alert(level="note"))
        probe.until_acked(1)
        before = terminal.run(*arguments, "a.weight").stdout.splitlines()
        probe.explanations(2, 1342, explanation(source=None))
        probe.until_acked(2)
        after = terminal.run(*arguments).stdout.splitlines()
    told = "not_moving at t.py:7, since step 12"
    assert before[1:3] == ["", f"a.weight: {told}"]
    assert before[4].startswith("Note: a.weight: detached")
    assert after[-3:] == ["", f"a.weight, a.bias: {told}", "    `a.weight` stays."]


def test_what_says_the_same_of_many_is_one_entry(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The same but for the name, where that stands alone; another place or cause is another."""
    names = [f"e.{place}.w" for place in range(200)]
    told = [explanation(place, name) for place, name in enumerate(names)]
    told += [
        explanation(200, "a", where="train.py:50", source=None),
        explanation(201, "b", where="train.py:50", source=None),
        explanation(202, "c", where="train.py:50", source=None, cause="no_grad"),
        explanation(203, "e.w", where=None, detail="e.w.x, ae.w and e.w[0] are not e.w."),
        explanation(204, "f", where=None, detail="f.x, af and f[0] are not f.", source=None),
        explanation(205, "g", where=None, detail="e.w.x, ae.w and e.w[0] are not g."),
    ]
    with FakeProbe(shared_server, hello(run, [each["name"] for each in told])) as probe:
        tell(probe, *told)
        arguments = ("explain", run, "--no-ask", "--server", shared_server.url)
        lines = terminal.run(*arguments).stdout.splitlines()
    assert [line for line in lines[1:] if line and not line.startswith(" ")] == [
        "e.0.w and 199 more: detached at train.py:41",
        "a, b: detached at train.py:50",
        "c: no_grad at train.py:50",
        "e.w, g: detached",
        "f: detached",
    ]


def test_what_is_known_is_shown_without_asking(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """`--no-ask` sends no command; it says so when nothing is known, or not of all."""
    arguments = ("explain", run, "--no-ask", "--server", shared_server.url)
    with FakeProbe(shared_server, hello(run)) as probe:
        nothing = terminal.run(*arguments)
        tell(probe, explanation(), total=2100)
        some = terminal.run(*arguments)
        other = terminal.run(*arguments[:2], "a.bais", *arguments[2:])
    assert (nothing.exit_code, some.exit_code, other.exit_code) == (0, 0, 0)
    assert nothing.stdout.startswith("No step of ")
    assert nothing.stdout.endswith("was traced yet: ask the job, without --no-ask.\n")
    assert some.stdout.splitlines()[2] == "a.weight: detached at train.py:41"
    assert some.stdout.splitlines()[-1] == "And 2,099 more, which the job did not list."
    assert "'a.bais' means no parameter that is known to lack a useful gradient." in other.stdout
    assert "Every parameter" not in other.stdout
    assert shared_server.get(f"/api/runs/{run}/commands")["commands"] == []


def test_of_a_run_that_has_finished_what_is_known_is_shown(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """By its bare name; nobody is asked, which is said. To steer it is refused, with a way on."""
    name = f"job {run}"
    with FakeProbe(shared_server, hello(run, name=name)) as probe:
        tell(probe, explanation())
        probe.bye()
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    shown = terminal.run("explain", name, "--server", shared_server.url)
    refused = terminal.run("freeze", name, "a.weight", "--server", shared_server.url)
    assert (shown.exit_code, refused.exit_code) == (0, 1)
    assert shown.stderr == f"{name} ({run}) has finished: this is what is known.\n"
    assert shown.stdout.splitlines()[2] == "a.weight: detached at train.py:41"
    assert "steered nor asked any more: start the job again for that." in refused.stderr
    assert "`gradgate explain --no-ask` shows" in refused.stderr


def test_the_answer_as_json(shared_server: ServerProcess, run: str, terminal: Terminal) -> None:
    """`--json` prints what the REST API has, of the target alone, and nothing else to stdout."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("explain", run, "a.bias", "--json", "--server", shared_server.url)
        probe.until_command(1)
        probe.explanations(1, 5, explanation(), explanation(1, "a.bias"), command=1)
        probe.report(2, 1, "applied", step=5)
        result = ended.result(WITHIN)
    answer = json.loads(result.stdout)
    assert answer == shared_server.get(f"/api/runs/{run}/explanations", match="a.bias")
    assert [each["name"] for each in answer["explanations"]] == ["a.bias"]
    assert (answer["total"], answer["command"]) == (2, 1)


def test_a_job_that_refuses_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The exit code is 1 with the job's reason, and what was known before is not shown as new."""
    with FakeProbe(shared_server, hello(run)) as probe:
        tell(probe, explanation())
        ended = terminal.start("explain", run, "x", "--server", shared_server.url)
        probe.until_command(1)
        probe.report(2, 1, "rejected", reason="'x' matches nothing")
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Error: Command 1 was rejected: 'x' matches nothing\n")


def test_a_job_that_ends_before_it_answers_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Nobody waits for a job that is over."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("explain", run, "--server", shared_server.url)
        probe.until_command(1)
        probe.bye()
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Command 1 was rejected: The run finished before" in result.stderr


def test_no_text_of_a_job_steers_the_terminal(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Control characters of names, sentences and source are made visible; tabs are blanks."""
    name = "a\x1b[2J"
    lines = ["\tx = 1\x1b]0;owned\x07", "\x9b31m\ry\r", "\tif x:\t# \u202e"]
    source = {"file": "t.py", "line": 2, "first": 1, "lines": lines}
    hostile = explanation(0, name, where="t\n.py:2", advice="\x1bc", source=source)
    with FakeProbe(shared_server, hello(run, [name])) as probe:
        tell(probe, hostile)
        probe.alerts(2, alert(0, name, detail="\x1b[1A"))
        probe.until_acked(2)
        shown = terminal.run("explain", run, "--no-ask", "--server", shared_server.url).stdout
        alerted = terminal.run("alerts", run, "--server", shared_server.url).stdout
    assert shown.splitlines()[2:-2] == [
        "a\ufffd[2J: detached at t\ufffd.py:2",
        "    `a\ufffd[2J` reaches the loss only through `h.detach()` at train.py:41.",
        "    \ufffdc",
        "      1 |     x = 1\ufffd]0;owned\ufffd",
        "    > 2 | \ufffd31m\ufffdy",
        "      3 |     if x:   # \ufffd",
        "",
    ]
    assert shown.splitlines()[-2:] == alerted.splitlines()
    assert alerted.splitlines() == [
        "a\ufffd[2J: detached, since step 12",
        "    \ufffd[1A",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("explain", "a", ""), "A target has 1 to 512 characters"),
        (("explain", "a", "x" * 513), "A target has 1 to 512 characters"),
        (("explain",), "Missing argument 'RUN'"),
        (("alerts",), "Missing argument 'RUN'"),
    ],
)
def test_a_wrong_question_is_not_asked(
    terminal: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    """The exit code is 2, before any server is asked."""
    result = terminal.run(*arguments, "--server", "http://127.0.0.1:9")
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize("command", ["explain", "alerts"])
def test_a_run_that_is_none_is_misuse(
    shared_server: ServerProcess, terminal: Terminal, command: str
) -> None:
    """The exit code is 2; without a server it is 3."""
    unknown = terminal.run(command, "nosuchrun", "--server", shared_server.url)
    assert unknown.exit_code == 2
    assert "There is no run 'nosuchrun'" in unknown.stderr
    assert terminal.run(command, "a", "--server", "http://127.0.0.1:9").exit_code == 3
