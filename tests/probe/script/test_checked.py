"""A script is checked for a few steps, and what was found is written down however it ends."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeAlias

import pytest
import torch
from torch import nn
from torch.optim import SGD

from gradgate.probe.script import check as check_module
from gradgate.probe.script import checked as checked_module
from gradgate.probe.script.checked import CheckOptions, check_program
from gradgate.probe.script.limit import PATIENCE
from gradgate.probe.script.program import NoProgramError, Program
from gradgate.probe.script.watch import Watch
from tests.support.waiting import wait_for

Report: TypeAlias = dict[str, Any]
Checks: TypeAlias = Callable[..., Report]

HEAD = """
import itertools, sys, time
import torch
from torch import nn
from gradgate import probe


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.style = nn.Linear(4, 4), nn.Linear(4, 2)
        self.head = nn.Linear(6, 1)
        self.norm = nn.LayerNorm(4).requires_grad_(False)

    def forward(self, x):
        h = torch.tanh(self.norm(self.encoder(x)))
        style = self.style(h).detach()  # <- detached
        return self.head(torch.cat([h, style], 1)).square().mean()


torch.manual_seed(0)
x = torch.randn(8, 4)
model = Net()
optimizer = torch.optim.AdamW(model.parameters())


def step():
    optimizer.zero_grad()
    model(x).backward()
    optimizer.step()


"""
LINE = HEAD.splitlines().index("        style = self.style(h).detach()  # <- detached") + 1


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checks:
    """Check a script that begins as above, in this process; returns the report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gradgate"])
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(
        text: str, steps: int = 6, expect: tuple[str, ...] = (), limit: float = 600.0
    ) -> Report:
        (tmp_path / "train.py").write_text(HEAD + dedent(text))
        file = tmp_path / "report.json"
        check_program(Program("train.py"), CheckOptions(file, steps, limit, expect))
        report: Report = json.loads(file.read_text())
        return report

    return run


def found(report: Report, level: str) -> dict[str | None, str | None]:
    """Return the causes of a level by parameter."""
    return {each["name"]: each["cause"] for each in report["findings"] if each["level"] == level}


def test_a_script_that_would_train_for_ever_is_stopped(checks: Checks, tmp_path: Path) -> None:
    """After so many steps, with a verdict on each parameter, and the line of what is wrong."""
    report = checks("for _ in itertools.count(): step()")

    assert (report["outcome"], report["steps"], report["optimizers"]) == ("stopped", 6, ["AdamW"])
    assert report["models"] == [{"name": "", "kind": "Net"}]
    moved = {each["name"]: each["moved"] for each in report["parameters"]}
    assert moved == {
        **dict.fromkeys(("encoder.weight", "encoder.bias", "head.weight", "head.bias"), True),
        **dict.fromkeys(("style.weight", "style.bias", "norm.weight", "norm.bias"), False),
    }
    assert found(report, "error") == {"style.weight": "detached", "style.bias": "detached"}
    first = report["findings"][0]
    assert (first["file"], first["line"]) == (str(tmp_path / "train.py"), LINE)
    assert "detach()" in first["source"]["lines"][LINE - first["source"]["first"]]
    assert first["advice"].startswith("Remove `detach()`")
    assert (report["file"], report["folder"]) == (str(tmp_path / "train.py"), str(tmp_path))


def test_what_is_frozen_by_the_script_is_nobodys_trouble_unless_it_is_expected(
    checks: Checks,
) -> None:
    """All that requires a gradient is expected to train, or just what is named."""
    report = checks("for _ in itertools.count(): step()", expect=("norm.weight", "head"))
    assert found(report, "error") == {"norm.weight": "frozen_by_script"}
    assert found(report, "untrained")["style.weight"] == "detached"


@pytest.mark.parametrize(
    ("name", "until", "level"), [("experts.1", None, "note"), ("experts.0", 4, "error")]
)
def test_what_a_step_leaves_out_at_times_trains(
    checks: Checks, name: str, until: int | None, level: str
) -> None:
    """An expert of a mixture, in steps that do not ask for it; not one that is cut off."""
    report = checks(
        f"""
        class Mixture(nn.Module):
            def __init__(self):
                super().__init__()
                self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
                self.head = nn.Linear(4, 1)

            def forward(self, x, step):
                chosen = self.experts[step % 3](x)
                chosen = chosen.detach() if step > {until or 99} else chosen
                return self.head(chosen).square().mean()

        model = Mixture()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for i in itertools.count():
            optimizer.zero_grad()
            model(x, i).backward()
            optimizer.step()
        """,
        steps=16,
    )
    told = {each["name"]: each["level"] for each in report["findings"]}
    assert told[f"{name}.weight"] == level
    kinds = {each["name"]: each["at_times"] for each in report["parameters"]}
    assert kinds[f"{name}.weight"] == (until is None)
    assert not kinds["head.weight"]


@pytest.mark.parametrize("order", ["ccg", "gccc", "cggg", "cgcc", "cxg"])
def test_optimizers_may_step_more_often_than_one_another(checks: Checks, order: str) -> None:
    """A critic (c) and a generator (g) in any order, also one more time with what it has (x)."""
    report = checks(
        f"""
        critic, generator = nn.Linear(4, 1), nn.Linear(4, 4)
        losses = {{"c": lambda: critic(generator(x).detach()), "g": lambda: critic(generator(x))}}
        optimizers = {{
            "c": torch.optim.SGD(critic.parameters(), 0.1),
            "g": torch.optim.SGD(generator.parameters(), 0.1),
        }}
        for each in itertools.cycle("{order}"):
            if each != "x":
                optimizers[each].zero_grad()
                losses[each]().square().mean().backward()
            optimizers[each.replace("x", "c")].step()
        """,
        steps=17,
    )
    # A step with an old gradient moves a weight that no gradient of that step asks to move.
    causes = {each["cause"] for each in report["findings"]}
    assert causes <= ({"moved_without_gradient"} if "x" in order else set())
    two = [p for p in report["parameters"] if p["name"].startswith(("critic.", "generator."))]
    assert len(two) == 4
    assert all(each["state"] == "present" or each["at_times"] for each in two)


def test_a_script_may_save_its_model_and_copy_it(checks: Checks) -> None:
    """As whole objects, in the steps that it is checked in."""
    report = checks(
        """
        import copy, pickle
        while True:
            step()
            pickle.loads(pickle.dumps((model, optimizer)))
            copy.deepcopy((model, optimizer))
        """
    )
    assert (report["outcome"], report["error"]) == ("stopped", None)


def test_a_script_that_catches_all_is_stopped_all_the_same(checks: Checks) -> None:
    """What stops it is no Exception, and comes again with each step."""
    report = checks(
        """
        tries = []
        for _ in range(8):
            try:
                step()
            except Exception:
                print("caught")
            except BaseException:
                tries.append(1)
                if len(tries) == 3:
                    raise
        """
    )
    assert (report["outcome"], report["steps"]) == ("stopped", 8)


@pytest.mark.parametrize(
    ("text", "outcome", "code", "steps"),
    [
        ("for _ in range(3): step()", "ended", 0, 3),
        ("step(); sys.exit('no disk')", "exited", 1, 1),
        ("step(); raise ValueError('no \\udcff')", "raised", 1, 1),
    ],
)
def test_how_a_script_ends_before_that_is_said(
    checks: Checks,
    text: str,
    outcome: str,
    code: int,
    steps: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With what was found until then."""
    report = checks(text)
    ended = (report["outcome"], report["script_exit_code"], report["steps"])
    assert ended == (outcome, code, steps)
    if outcome == "raised":
        assert report["error"].startswith("ValueError: no ? (")
    if outcome == "exited":
        assert report["error"] == "no disk"
        assert capsys.readouterr().err == "no disk\n"
    if steps == 3:
        assert found(report, "error")["style.weight"] == "detached"


def test_a_script_that_never_steps_is_stopped(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many forwards; and one that ends without is said to have made none."""
    monkeypatch.setattr(check_module, "MOST_FORWARDS", 5)
    report = checks("for _ in itertools.count(): model(x).backward()", steps=1)
    assert (report["outcome"], report["steps"], report["never_steps"]) == ("stopped", 0, True)
    assert found(report, "error")[None] == "no_step"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("with torch.no_grad():\n    while True: model(x)", 0),
        ("for _ in itertools.count(): x.sum()", 0),
        ("step(); step()\nwhile True: pass", 2),
    ],
)
def test_a_script_that_makes_no_step_for_too_long_is_stopped(
    checks: Checks, text: str, steps: int
) -> None:
    """One that predicts, one that reads without end, and one that hangs after some steps."""
    checks("step()")  # an import that was interrupted could not be made again in this process
    report = checks(text, limit=2.0)
    ended = (report["outcome"], report["timed_out"], report["limit"], report["steps"])
    assert ended == ("stopped", True, 2.0, steps)
    assert bool(report["parameters"]) == bool(steps)


def test_a_step_begins_the_time_limit_anew(checks: Checks) -> None:
    """A script that takes long as a whole is none that hangs."""
    report = checks("while True: time.sleep(0.7); step()", limit=3.0)
    assert (report["timed_out"], report["steps"]) == (False, 6)


@pytest.mark.parametrize(
    ("text", "expect", "told"),
    [
        ("step()", ("nothing.*",), ("problem", "matches no parameter and no module")),
        ("pass", (), ("lack", "no model was called")),
    ],
)
def test_what_cannot_be_checked_is_said(
    checks: Checks, text: str, expect: tuple[str, ...], told: tuple[str, str]
) -> None:
    """An expectation of nothing, and a script that does not train."""
    report = checks(text, expect=expect)
    assert told[1] in report[told[0]]
    assert report["misused"] == bool(expect)


def test_a_run_of_the_scripts_own_is_asked(checks: Checks) -> None:
    """With what it expects itself, also where it is strict, and raises."""
    report = checks(
        """
        with probe.attach(
            model, optimizer, server=False, every=1, expect=["style"], strict=True
        ):
            while True:
                step()
        """
    )
    assert report["outcome"] == "stopped"
    assert found(report, "error") == {"style.weight": "detached", "style.bias": "detached"}


@pytest.mark.parametrize(
    ("expect", "names"),
    [((), {"style.weight", "style.bias"}), (("encoder", "style.bias"), {"style.bias"})],
)
def test_a_run_of_the_scripts_own_that_expects_nothing_is_expected_to_train(
    checks: Checks, expect: tuple[str, ...], names: set[str]
) -> None:
    """All that requires a gradient, or what the command line names."""
    report = checks(
        """
        probe.attach(model, optimizer, server=False, every=1)
        while True:
            step()
        """,
        expect=expect,
    )
    assert set(found(report, "error")) == names


def test_what_holds_in_the_first_step_alone_is_no_finding(checks: Checks) -> None:
    """An adapter begins with zeros on one side, so that the other gets zeros at first.

    What is frozen is said though nothing is wrong.
    """
    report = checks(
        """
        model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1))
        nn.init.zeros_(model[1].weight)
        model[0].bias.requires_grad_(False)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        while True:
            optimizer.zero_grad()
            (model(x) - 1).square().mean().backward()
            optimizer.step()
        """
    )
    assert found(report, "error") == {}
    assert found(report, "untrained") == {"0.bias": "frozen_by_script"}


@pytest.mark.parametrize(("cut", "cause"), [(".detach()", None), ("", "not_in_optimizer")])
def test_a_model_without_an_optimizer_was_forgotten_if_it_gets_a_gradient(
    checks: Checks, tmp_path: Path, cut: str, cause: str | None
) -> None:
    """And else it is a target network or a teacher, which nobody expects to train.

    The line is that where the optimizer was made without it.
    """
    report = checks(
        f"""
        base, head = nn.Linear(4, 4), nn.Linear(4, 1)
        optimizer = torch.optim.SGD(head.parameters(), 0.1)
        while True:
            optimizer.zero_grad()
            head(base(x){cut}).square().mean().backward()
            optimizer.step()
        """
    )
    assert {each["name"] for each in report["models"]} == {"base", "head"}
    assert found(report, "error").get("base.weight") == cause
    lines = (tmp_path / "train.py").read_text().splitlines()
    places = [lines[each["line"] - 1] for each in report["findings"] if each["cause"] == cause]
    made = "optimizer = torch.optim.SGD(head.parameters(), 0.1)"
    assert [each.strip() for each in places] == [made] * len(places)
    assert bool(places) == (cause is not None)


@pytest.mark.parametrize("graded", [True, False])
def test_a_head_that_no_optimizer_has_is_found_though_it_is_called_last(
    checks: Checks, graded: bool
) -> None:
    """By the gradient that the first step gives it; one that it had before says nothing."""
    report = checks(
        f"""
        head, earlier = nn.Linear(1, 1), nn.Linear(1, 1)
        earlier.weight.grad = torch.ones(1, 1)
        while True:
            optimizer.zero_grad()
            loss = model(x)
            (head(loss.reshape(1, 1)).sum() if {graded} else loss).backward()
            optimizer.step()
        """
    )
    names = {each["name"] for each in report["models"]}
    assert names == ({"model", "head"} if graded else {""})
    assert (found(report, "error").get("head.weight") == "not_in_optimizer") == graded


def test_an_error_is_shown_where_the_scripts_own_hook_cannot(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of torch.distributed encodes the message, which need not be text."""
    monkeypatch.setattr(sys, "excepthook", lambda _, error, trace: str(error).encode())
    report = checks("raise ValueError('no \\udcff')")
    assert report["outcome"] == "raised"


def test_there_has_to_be_a_script(tmp_path: Path) -> None:
    """Nothing is watched or written where there is none."""
    with pytest.raises(NoProgramError, match="There is no script"):
        check_program(Program("nope.py"), CheckOptions(tmp_path / "report.json"))
    assert not (tmp_path / "report.json").exists()


def test_code_that_was_made_from_a_text_has_no_file(checks: Checks) -> None:
    """Nobody could show its line."""
    report = checks(
        """
        made = {"nn": nn}
        exec("class Cut(nn.Tanh):\\n def forward(self, x): return x.detach()", made)
        model = nn.Sequential(nn.Linear(4, 2), made["Cut"](), nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        while True:
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
        """
    )
    first = report["findings"][0]
    assert (first["cause"], first["file"], first["line"]) == ("detached", None, None)
    assert "<string>:2" in first["detail"]


# Python's own hook says nothing of such an end, and pytest's does.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_thread_that_was_stopped_waits_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The main thread may be in the `get` of a queue, which nothing would ever end."""
    monkeypatch.setattr(check_module, "PATIENCE", 0.01)
    given_up = threading.Event()
    check = check_module.Check(2, give_up=given_up.set)  # type: ignore[arg-type]
    watch = Watch(check)

    def train() -> None:
        model = nn.Linear(1, 1)
        optimizer = SGD(model.parameters(), 0.1)
        while True:
            model(torch.ones(1, 1)).backward()
            optimizer.step()

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert given_up.wait(10)
    assert [each.step for each in check.watched] == [2]
    watch.stop(failed=False)


@pytest.mark.exhaustive(2)
@pytest.mark.parametrize(
    ("start", "name", "steps"),
    [
        ("get_context('fork').Process(target=train, name='trainer')", "trainer", 6),
        ("get_context('fork').Process(target=train, name='worker', daemon=True)", None, None),
        ("Own(name='own')", "own", None),
        ("Rank()", "rank 3", 6),
    ],
)
def test_a_process_that_the_script_starts_checks_itself(
    checks: Checks, tmp_path: Path, start: str, name: str | None, steps: int | None
) -> None:
    """By multiprocessing, but for daemons, as workers of a loader are, or as a launcher starts it.

    One that cannot is named. The process that waits for it in vain is not waited for.
    """
    (tmp_path / "rank.py").write_text(HEAD + "for _ in itertools.count(): step()")
    report = checks(
        f"""
        import os, subprocess
        from multiprocessing import get_context

        def train():
            for _ in range({100 if name else 1}):
                step()

        class Own(get_context("fork").Process):
            def run(self):
                step()

        class Rank:
            def start(self):
                environment = {{**os.environ, "LOCAL_RANK": "0", "RANK": "3"}}
                command = [sys.executable, "-u", "rank.py"]
                self.process = subprocess.Popen(command, env=environment)

            def join(self):
                self.process.wait()

        process = {start}
        process.start()
        process.join()
        """
    )
    assert [each["name"] for each in report["processes"]] == [name] * (name is not None)
    files = list(tmp_path.glob("report.json.*"))
    assert bool(files) == (steps is not None)
    for file in files:
        child = json.loads(file.read_text())
        assert (child["process"], child["steps"], child["outcome"]) == (name, steps, "stopped")
        assert found(child, "error") == {"style.weight": "detached", "style.bias": "detached"}


def test_who_waits_for_what_a_stopped_process_would_have_brought_is_stopped(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no script that hangs: others have trained for long enough."""
    monkeypatch.setattr(checked_module, "PATIENCE", 0.1)
    report = checks(
        """
        from multiprocessing import get_context

        def train():
            while True:
                step()

        get_context("fork").Process(target=train).start()
        while True:
            pass
        """
    )
    ended = (report["outcome"], report["steps"], report["timed_out"])
    assert ended == ("stopped", 0, False)


def test_threads_that_were_there_before_are_none_of_the_scripts(checks: Checks) -> None:
    """A check that is stopped beside them ends as any other, and not the process with it."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        report = checks("for _ in itertools.count(): step()")
    finally:
        over.set()
        other.join()
    assert (report["outcome"], report["steps"]) == ("stopped", 6)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_script_that_has_ended_is_waited_for_no_longer(checks: Checks) -> None:
    """One that trains in a thread which its main thread joins: no timer is left that would end
    the process."""
    report = checks(
        """
        import threading

        def train():
            for _ in itertools.count():
                step()

        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        """
    )
    assert report["steps"] == 6
    wait_for(
        lambda: not any(isinstance(each, threading.Timer) for each in threading.enumerate()),
        PATIENCE / 2,
        "the timer is cancelled",
    )


INNER = """
class Outer(torch.optim.Optimizer):
    def __init__(self, parameters, kind=torch.optim.SGD):
        super().__init__(parameters, {"lr": 0.1})
        self.base = kind(self.param_groups, lr=0.1)
        self.param_groups = self.base.param_groups

    def perturb(self):
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=1e-3)

    def second_step(self):
        self.base.step()

    def step(self, closure=None):
        self.base.step()

model = Net()
optimizer = Outer(model.parameters())
while True:
    for last in (False, True):
        optimizer.zero_grad()
        model(x).backward()
        if not last:
            optimizer.perturb()
    {call}
"""


@pytest.mark.parametrize("call", ["second_step()", "step()", "base.step()"])
@pytest.mark.parametrize("own", ["", "probe.attach(model, optimizer, server=False)"])
def test_an_optimizer_in_another_makes_the_steps(checks: Checks, call: str, own: str) -> None:
    """By whatever name a script calls it, as in sharpness-aware minimization; each counts once."""
    text = INNER.replace("{call}", f"optimizer.{call}").replace("while True", f"{own}\nwhile True")
    report = checks(text)
    assert (report["outcome"], report["steps"], report["never_steps"]) == ("stopped", 6, False)
    assert found(report, "error") == {"style.weight": "detached", "style.bias": "detached"}


@pytest.mark.parametrize("step", [2, 6, 11])
@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("own", ["", "probe.attach(model, optimizer, server=False, every=1)"])
def test_what_the_script_thaws_is_expected_to_train_from_then_on(
    checks: Checks, step: int, added: bool, own: str
) -> None:
    """It trains where an optimizer has it by then; where none has, that was forgotten."""
    report = checks(
        f"""
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(1, 1))
        model[0].requires_grad_(False)
        model[2].requires_grad_(False)
        optimizer = torch.optim.SGD(model[1].parameters(), 0.1)
        {own}
        for i in itertools.count(1):
            if i == {step}:
                model[0].requires_grad_(True)
                if {added}:
                    optimizer.add_param_group({{"params": list(model[0].parameters())}})
            optimizer.zero_grad()
            (model(x) - 1).square().mean().backward()
            optimizer.step()
        """,
        steps=12,
    )
    thawed = {"0.weight", "0.bias"}
    assert found(report, "error") == ({} if added else dict.fromkeys(thawed, "not_in_optimizer"))
    assert found(report, "untrained") == dict.fromkeys(("2.weight", "2.bias"), "frozen_by_script")
    told = {each["name"]: each for each in report["parameters"]}
    assert {name for name, each in told.items() if each["trainable"]} == {
        *thawed,
        *("1.weight", "1.bias"),
    }
    assert all((told[name]["state"], told[name]["moved"]) == ("present", added) for name in thawed)


@pytest.mark.parametrize("step", [3, 6])
@pytest.mark.parametrize("expect", [(), ("encoder",)])
def test_what_the_script_freezes_later_is_its_wish_unless_it_is_expected(
    checks: Checks, step: int, expect: tuple[str, ...]
) -> None:
    """As what it has frozen at first: it is listed."""
    report = checks(
        f"""
        for i in itertools.count(1):
            if i == {step}:
                model.encoder.requires_grad_(False)
                model.style.requires_grad_(False)
            step()
        """,
        expect=expect,
    )
    frozen = dict.fromkeys(("encoder.weight", "encoder.bias"), "frozen_by_script")
    assert found(report, "error") == (frozen if expect else {})
    assert found(report, "untrained").items() >= ({} if expect else frozen).items()
    trainable = {each["name"] for each in report["parameters"] if each["trainable"]}
    assert trainable == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("made", "read", "name"),
    [
        ("self.layers = [layer()]", "self.layers[0]", "layers[0].weight"),
        ("self._layers = (layer(),)", "self._layers[0]", "_layers[0].weight"),
        ("self.by = {'a': [layer()]}", "self.by['a'][0]", "by['a'][0].weight"),
        ("self.sub = nn.Identity(); self.sub.kept = [layer()]", "self.sub.kept[0]", "sub.kept[0]"),
    ],
)
def test_layers_in_a_plain_container_are_a_part_of_their_model(
    checks: Checks, made: str, read: str, name: str
) -> None:
    """The finding says how to hold them, at the line of their use; they are no models beside it."""
    report = checks(
        f"""
        def layer():
            return nn.Linear(4, 4)

        class Held(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = layer(), nn.Linear(4, 1)
                {made}

            def forward(self, x):
                h = torch.tanh({read}(self.first(x)))  # <- used
                return self.last(h).square().mean()

        model = Held()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        while True:
            step()
        """
    )
    assert [each["kind"] for each in report["models"]] == ["Held"]
    errors = [each for each in report["findings"] if each["level"] == "error"]
    assert {each["cause"] for each in errors} == {"not_in_optimizer"}
    assert len(errors) == 2
    assert errors[0]["name"].startswith(name)
    assert "nn.ModuleList" in errors[0]["advice"]
    lines = Path(report["file"]).read_text().splitlines()
    assert lines[errors[0]["line"] - 1].endswith("# <- used")


def test_what_is_told_of_several_parameters_is_told_of_each(checks: Checks) -> None:
    """A warm-up that does not begin is a note of all that waits for it."""
    report = checks(
        """
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        optimizer = torch.optim.AdamW(model.parameters())
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step // 100)
        while True:
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
            schedule.step()
        """,
        steps=20,
    )
    every = ("0.weight", "0.bias", "2.weight", "2.bias")
    assert found(report, "note") == dict.fromkeys(every, "not_moving")
    assert len(report["findings"]) == 4


def test_the_last_step_is_traced(checks: Checks) -> None:
    """Whatever its number: what it leaves out has a cause."""
    report = checks(
        """
        class Dropped(nn.Module):
            def __init__(self):
                super().__init__()
                self.every, self.odd = nn.Linear(4, 1), nn.Linear(4, 1)

            def forward(self, x, step):
                left = self.odd(x) if step % 2 else 0
                return (self.every(x) + left).square().mean()

        model = Dropped()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for i in itertools.count(1):
            optimizer.zero_grad()
            model(x, i).backward()
            optimizer.step()
        """,
        steps=14,
    )
    assert found(report, "note") == dict.fromkeys(("odd.weight", "odd.bias"), "module_not_called")


def test_what_an_optimizer_holds_and_no_module_is_counted(checks: Checks) -> None:
    """As a learned temperature: it is not checked, and the report does not pass it over."""
    report = checks(
        """
        temperature, bound = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(2))
        second = torch.optim.SGD([temperature, bound], 0.1)
        for _ in itertools.count():
            second.zero_grad()
            optimizer.zero_grad()
            (model(x) * temperature + bound.sum()).backward()
            optimizer.step()
            second.step()
        """
    )
    assert report["loose"] == 2
    assert len(report["parameters"]) == 8


def test_what_was_frozen_in_the_step_traced_last_may_train_since(checks: Checks) -> None:
    """In a script that ends by itself, whose last step nobody could foresee."""
    report = checks(
        """
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
        model[0].requires_grad_(False)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for i in range(1, 13):
            model[0].requires_grad_(i > 10)
            optimizer.zero_grad()
            (model(x) - 1).square().mean().backward()
            optimizer.step()
        """,
        steps=50,
    )
    assert (report["outcome"], report["findings"]) == ("ended", [])
    assert all(each["trainable"] and each["moved"] for each in report["parameters"])


def test_a_script_that_freezes_all_of_it_trains_nothing(checks: Checks) -> None:
    """That is nobody's wish, whoever has switched it off."""
    report = checks(
        """
        for i in itertools.count(1):
            model.requires_grad_(i == 1)
            optimizer.zero_grad()
            (model(x) + torch.zeros((), requires_grad=True)).backward()
            optimizer.step()
        """
    )
    frozen = {f"{layer}.{name}" for layer in ("encoder", "head") for name in ("weight", "bias")}
    errors = found(report, "error")
    assert {name for name, cause in errors.items() if cause == "frozen_by_script"} >= frozen
    assert not any(each["trainable"] for each in report["parameters"])


HIDDEN = """
class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(4, 4)
        {held}

    def forward(self, x):
        return {used}.square().mean()

model = Loss()
optimizer = torch.optim.SGD(model.model.parameters(), 0.1)
"""


@pytest.mark.parametrize(
    ("held", "used", "level"),
    [
        ("self.judge = [nn.Linear(4, 1).eval()]", "self.judge[0](self.model(x))", "untrained"),
        ("self.judge = [nn.Linear(4, 1)]", "self.judge[0](self.model(x))", "error"),
        (
            "self.by_hand = [torch.zeros(4, requires_grad=True)]",
            "(self.model(x) + self.by_hand[0])",
            "untrained",
        ),
    ],
)
def test_what_is_hidden_from_the_optimizer_is_expected_only_if_it_is_to_train(
    checks: Checks, held: str, used: str, level: str
) -> None:
    """A layer in training mode, in a plain list; no judge that only looks on, and no tensor."""
    report = checks(HIDDEN.format(held=held, used=used) + "\nwhile True:\n    step()\n")
    hidden = [each for each in report["findings"] if each["cause"] == "not_in_optimizer"]
    assert {each["level"] for each in hidden} == {level}


def test_layers_that_a_later_optimizer_holds_are_well(checks: Checks) -> None:
    """Though the run that was there before it has found them in none."""
    held = HIDDEN.format(
        held="self.layers = [nn.Linear(4, 1)]", used="self.layers[0](self.model(x))"
    )
    report = checks(
        f"{held}\n"
        "for i in itertools.count(1):\n"
        "    if i == 3:\n"
        "        second = torch.optim.SGD(model.layers[0].parameters(), 0.1)\n"
        "    step()\n"
        "    if i > 3:\n"
        "        second.step()\n",
        steps=12,
    )
    assert [each for each in report["findings"] if each["cause"] == "not_in_optimizer"] == []


def test_a_container_that_cannot_be_read_costs_no_check(checks: Checks) -> None:
    """It holds nothing that is looked for."""
    report = checks(
        """
        class Failing(list):
            def __iter__(self):
                raise RuntimeError("not now")

        model.kept = [Failing([1])]
        while True:
            step()
        """
    )
    assert (report["lack"], report["steps"]) == (None, 6)
    assert found(report, "error") == {"style.weight": "detached", "style.bias": "detached"}
