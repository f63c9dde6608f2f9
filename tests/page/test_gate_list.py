"""The gates that there are: in the list, in the tree and on the charts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.page.conftest import OpenRun, Play
from tests.page.run_page import RunPage
from tests.support.probing import GATED, PRESENT, FakeProbe, gate

NAMES = ("a.weight", "a.bias", "b.weight")
CLOSED = gate(1, closed=True)
OPEN = gate(2, site="param:b.weight", when="norm > 5", closed=False, closed_steps=0, parameters=[])
PROBLEM = "loss was not logged yet, so the gate stays open."


@pytest.fixture
def probe(play: Play, run: str) -> FakeProbe:
    """A probe of two modules, with one sample."""
    probe = play(run, *NAMES)
    probe.sample(1, [0.5, 0.25, 0.125])
    return probe


def log(probe: FakeProbe, seq: int, step: int, values: dict[str, float]) -> None:
    """Send metrics."""
    probe.send({"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": values})


def item(page: RunPage, number: int) -> Locator:
    """A gate's entry in the list."""
    return page.page.locator(f'#gates [data-gate="{number}"]')


def gates_of(page: RunPage, row: Locator) -> Locator:
    """The gate button of a row."""
    return row.get_by_role("button", name=re.compile("^Gates:"))


def test_without_gates_the_list_says_what_they_are_for(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The tab is chosen by hand, and survives a reload."""
    page = open_run(run)
    tab = page.page.get_by_role("tab", name="Gates")
    expect(tab).to_have_text("Gates")
    tab.click()
    expect(page.page.locator("#gates")).to_contain_text("stops, scales or clips a gradient")
    expect(page.page.locator("#commands")).to_be_hidden()
    page.page.reload()
    expect(page.page.locator("#gates")).to_be_visible()
    tab.press("ArrowLeft")
    expect(page.page.locator("#commands")).to_be_visible()


def test_a_gate_says_how_it_stands_and_what_it_did(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """State, rule, share, norms, problem and maker; and all of it follows the job."""
    troubled = gate(3, site="site:latent", when="loss > 1", closed=False, steps=0, closed_steps=0)
    troubled |= {"norm_in": None, "norm_out": None, "problem": PROBLEM, "by": "python"}
    probe.gates(2, CLOSED, OPEN, troubled)
    page = open_run(run, "?log=gates")
    expect(page.page.get_by_role("tab", name="Gates (3, 1 closed, 1 problem)")).to_be_visible()
    closed = item(page, 1)
    for text in ("closed", "block", "output:a", "when norm > 10", "closed 20 % of 40 steps"):
        expect(closed).to_contain_text(text)
    for text in ("norm 12.5 → 0", "2 gradients kept away", "by browser since step 3"):
        expect(closed).to_contain_text(text)
    expect(item(page, 2).locator(".standing")).to_have_text("open")
    expect(item(page, 3)).to_contain_text("not reached yet")
    expect(item(page, 3)).to_contain_text("norm not measured")
    expect(item(page, 3).locator(".problem")).to_have_text(PROBLEM)

    probe.gates(3, gate(1, closed=False, norm_in=3.0, norm_out=3.0), gate(2, paused=True))
    expect(closed.locator(".standing")).to_have_text("open")
    expect(closed).to_contain_text("norm 3.00 → 3.00")
    expect(item(page, 2).locator(".standing")).to_have_text("paused")
    expect(item(page, 3)).to_have_count(0)


def test_gates_are_changed_by_keyboard(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Pause, resume and remove send the whole gate; the focus stays where it was."""
    probe.gates(2, CLOSED, OPEN)
    page = open_run(run, "?log=gates")
    keyboard = page.page.keyboard
    page.page.get_by_role("button", name="Pause gate 1").focus()
    keyboard.press("Enter")
    pending = re.compile("^pause (requested|delivered)$")
    expect(item(page, 1).locator(".awaited")).to_have_text(pending)
    expect(item(page, 1).locator(".standing")).to_have_text("closed")
    paused = probe.until_command(number := newest(page))
    assert (paused["gate"], paused["paused"], paused["when"]) == (1, True, "norm > 10")
    probe.report(3, number, "applied", step=9, gate=1)
    probe.gates(4, gate(1, closed=False, paused=True), OPEN)
    resume = page.page.get_by_role("button", name="Resume gate 1")
    expect(resume).to_be_focused()
    expect(item(page, 1).locator(".awaited")).to_have_count(0)
    keyboard.press("Enter")
    page.page.locator("#commands li").nth(1).wait_for(state="attached")
    assert probe.until_command(newest(page))["paused"] is False

    keyboard.press("Tab")
    keyboard.press("Enter")
    page.page.locator("#commands li").nth(2).wait_for(state="attached")
    removal = probe.until_command(newest(page))
    assert (removal["kind"], removal["gate"]) == ("ungate", 1)
    reason = "there is no gate 1"
    probe.report(5, newest(page), "rejected", reason=reason, gate=1)
    expect(item(page, 1).locator(".awaited")).to_have_text(f"removal rejected: {reason}")
    probe.gates(6, OPEN)
    expect(item(page, 1)).to_have_count(0)
    expect(page.page.locator("#gates")).to_be_focused()


def newest(page: RunPage) -> int:
    """The number of the newest command."""
    entry = page.page.locator("#commands [data-command]").first
    return int(entry.get_attribute("data-command") or "")


def test_a_gate_is_edited_from_the_list_and_from_its_row(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The editor begins with the gate as it is; another one can be added beside it."""
    probe.gates(2, gate(1, action="clip", max_norm=2.5, hold=4), OPEN)
    page = open_run(run, "?log=gates")
    page.page.get_by_role("button", name="Edit gate 1").click()
    dialog = page.page.get_by_role("dialog", name="Gate 1")
    field = dialog.get_by_label("Closed when")
    expect(field).to_have_value("norm > 10")
    expect(dialog.get_by_label("The output of a")).to_be_checked()
    expect(dialog.get_by_label("Largest norm")).to_have_value("2.5")
    expect(dialog.get_by_label("Hold for steps")).to_have_value("4")
    field.fill("norm > 20")
    while (question := probe.until_question())["when"] != "norm > 20":
        pass
    probe.answer_trial(question)
    dialog.get_by_role("button", name="Change gate").click()
    expect(item(page, 1).locator(".awaited")).to_contain_text("change")
    changed = probe.until_command(newest(page))
    assert (changed["gate"], changed["when"], changed["max_norm"]) == (1, "norm > 20", 2.5)

    gates_of(page, page.module("a")).click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="New gate").click()
    fresh = page.page.get_by_role("dialog", name="New gate")
    expect(fresh.get_by_label("Closed when")).to_have_value("")
    fresh.get_by_role("button", name="Gate 1").click()
    expect(field).to_have_value("norm > 10")


def test_gates_are_seen_in_the_tree(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """A closed gate stands at its module, at the module around it when that is closed up, and
    its parameters are gated."""
    probe.gates(2, CLOSED, OPEN)
    probe.sample(3, [float("nan"), float("nan"), 0.125], [GATED, GATED, PRESENT])
    page = open_run(run)
    state = page.row("a.weight").locator(".state")
    expect(state).to_have_text("gated")
    expect(state).to_have_attribute("title", re.compile("It was gate 1"))
    module = gates_of(page, page.module("a"))
    expect(module).to_have_attribute("data-gates", "closed")
    line = "Gate 1 is closed: block output:a when norm > 10, keeps 2 gradients away"
    expect(module).to_have_accessible_name(f"Gates: a, {line}")
    expect(gates_of(page, page.row("b.weight"))).to_have_attribute("data-gates", "open")
    expect(gates_of(page, page.row("a.bias"))).not_to_have_attribute("data-gates", re.compile(""))
    expect(page.page.get_by_role("button", name="2 gated")).to_be_visible()
    expect(page.page.locator("#flow")).to_contain_text("gated")
    root = gates_of(page, page.page.locator("#tree .row").first)
    expect(root).not_to_have_attribute("data-gates", re.compile(""))
    page.press("Home", "ArrowLeft")
    expect(root).to_have_attribute("data-gates", "closed")
    expect(root).to_have_attribute("data-below", "")


def test_closed_gates_are_bands_and_no_metrics(play: Play, open_run: OpenRun, run: str) -> None:
    """Both charts show where a gate was closed, and follow the job; no list of metrics does."""
    probe = play(run, *NAMES)
    for step in range(1, 31):
        probe.sample(2 * step - 1, [0.5, 0.25, 0.125], step=step)
        closed = float(10 <= step < 15 or 20 <= step < 25)
        log(probe, 2 * step, step, {"loss": 1 / step, "gate 7 closed": closed})
    probe.until_acked(60)
    page = open_run(run)
    key = page.page.locator("#key")
    expect(key.get_by_role("button")).to_have_count(1)
    expect(key).to_contain_text("loss")
    expect(key.locator(".band")).to_have_text("gate 7 closed")
    bars = page.page.locator('#lines .scatterlayer path.js-line[style*="stroke-width: 3px"]')
    expect(bars).to_have_count(2)
    page.row("a.weight").locator(".name").click()
    expect(
        key.get_by_role("button", name=re.compile("a.weight.*, remove from the chart"))
    ).to_be_visible()
    expect(key.locator(".band")).to_have_text("gate 7 closed")
    expect(bars).to_have_count(2)
    probe.sample(61, [0.5, 0.25, 0.125], step=40)
    log(probe, 62, 40, {"loss": 0.1, "gate 7 closed": 1.0})
    expect(bars).to_have_count(3)


def test_a_finished_run_has_gates_that_nobody_can_change(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The buttons say why."""
    probe.gates(2, CLOSED)
    page = open_run(run, "?log=gates")
    pause = page.page.get_by_role("button", name="Pause gate 1")
    expect(pause).to_be_enabled()
    probe.bye(1)
    expect(pause).to_be_disabled()
    expect(pause).to_have_attribute("title", "The run has finished")
    expect(gates_of(page, page.module("a"))).to_be_disabled()
