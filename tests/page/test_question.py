"""The question before a freeze or thaw says what it will touch."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.page.conftest import OpenRun, Play
from tests.page.previews import answer, refuse, until_asked
from tests.page.run_page import RunPage
from tests.support.probing import FROZEN, PRESENT, FakeProbe

NAMES = ("a.weight", "a.bias", "b.weight")
WARNING = (
    "Running statistics go on in a.norm: what the frozen part computes still changes; "
    "hold running statistics too."
)
"""As the job words it."""
HELD = {"by": "python", "mode": "no_grad", "hold_stats": True, "since_step": 1, "command": None}


@pytest.fixture
def probe(play: Play, run: str) -> FakeProbe:
    """A probe of two modules, with one sample."""
    probe = play(run, *NAMES)
    probe.sample(1, [0.5, 0.25, 0.125])
    return probe


def ask(page: RunPage, module: str = "a") -> Locator:
    """Click a module's snowflake; returns the dialog."""
    page.module(module).get_by_role("checkbox").click()
    return page.page.get_by_role("dialog")


def fact(dialog: Locator, term: str) -> Locator:
    """What the dialog says of one thing that is touched."""
    return dialog.locator(f'dt:text-is("{term}") + dd')


def test_the_jobs_answer_fills_the_question(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """What the page knows is there at once, the bytes and warnings when the job has said them."""
    page = open_run(run)
    dialog = ask(page)
    expect(dialog).to_contain_text("Freeze a.*: 2 parameters, 16 numbers")
    expect(fact(dialog, "Share of the model")).to_have_text("67 %")
    expect(fact(dialog, "Gradients")).to_have_text("…")
    region = dialog.get_by_role("status")
    expect(region).to_have_attribute("aria-busy", "true")
    expect(region).to_have_attribute("aria-live", "polite")

    question = until_asked(probe)
    assert question["target"] == "a"
    answer(probe, question, warnings=[WARNING], running_stats=["a.norm"], numel=4800)
    expect(dialog.get_by_role("list", name="Warnings")).to_have_text(WARNING)
    expect(dialog).to_contain_text("2 parameters, 4,800 numbers")
    expect(fact(dialog, "Gradients")).to_have_text("210 MB freed")
    expect(fact(dialog, "Optimizer state")).to_have_text("420 MB kept")
    expect(fact(dialog, "Statistics run on")).to_have_text("a.norm")
    expect(region).not_to_have_attribute("aria-busy", "true")


def test_a_question_without_warnings_is_calm(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Nothing alarms where the job warns of nothing, and there are no statistics to hold."""
    dialog = ask(open_run(run))
    answer(probe, until_asked(probe))
    expect(dialog).to_contain_text("No warnings")
    expect(dialog.locator(".warnings")).to_have_count(0)
    expect(dialog.get_by_label("Hold running statistics")).to_be_hidden()


def test_what_would_be_rejected_cannot_be_sent(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The job's reason is shown and the button is disabled; another option asks anew."""
    page = open_run(run, refusals=[409])
    dialog = ask(page)
    answer(probe, until_asked(probe))
    dialog.get_by_label("Run without a graph").check()
    question = until_asked(probe)
    assert question["mode"] == "no_grad"
    reason = "a cannot run without a graph: b.weight would lose its gradient."
    refuse(probe, question, reason)
    expect(dialog.locator(".refused")).to_have_text(reason)
    freeze = dialog.get_by_role("button", name="Freeze")
    expect(freeze).to_be_disabled()
    freeze.click(force=True)
    expect(dialog.locator(".refused")).to_have_text(reason)
    page.page.keyboard.press("Enter")
    expect(dialog.locator(".refused")).to_have_text(reason)

    dialog.get_by_label("Stop its gradients").check()
    answer(probe, until_asked(probe))
    expect(freeze).to_be_enabled()
    freeze.click()
    expect(page.page.locator("#commands [data-command]")).to_have_count(1)
    assert probe.until_command(1)["mode"] == "grad"


def test_a_silent_job_can_be_sent_to_all_the_same(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The server's sentence takes the place of the answer, and the command goes out."""
    page = open_run(run, refusals=[504])
    sentence = "The job did not answer within 5 seconds."
    page.page.route(
        "**/preview?*", lambda route: route.fulfill(status=504, json={"detail": sentence})
    )
    dialog = ask(page)
    expect(dialog).to_contain_text(sentence)
    expect(fact(dialog, "Gradients")).to_have_text("not known")
    dialog.get_by_role("button", name="Freeze").click()
    entry = page.page.locator("#commands [data-command]")
    number = int(entry.get_attribute("data-command") or "")
    assert probe.until_command(number)["target"] == "a"


def test_only_the_latest_question_is_answered(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """An option is asked about anew; an older answer that comes late changes nothing."""
    page = open_run(run)
    dialog = ask(page)
    first = until_asked(probe)
    with page.page.expect_event("requestfailed", lambda request: "/preview?" in request.url):
        dialog.get_by_label("Run without a graph").check()
    second = until_asked(probe)
    answer(probe, second, warnings=["the second"])
    expect(dialog.locator(".warnings")).to_have_text("the second")
    answer(probe, first, warnings=["the first"])
    probe.sample(2, [0.5, 0.25, 0.125])
    page.until_step(2)
    expect(dialog.locator(".warnings")).to_have_text("the second")


def test_options_are_sent_and_said(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """The command has the mode and the held statistics, and the log says them in words."""
    page = open_run(run)
    dialog = ask(page)
    answer(probe, until_asked(probe), running_stats=["a.norm"], warnings=[WARNING])
    switch = dialog.get_by_label("Hold running statistics")
    assert switch.locator("xpath=..").inner_text().partition(" ·")[0].lower() in WARNING
    switch.check()
    question = until_asked(probe)
    assert question["hold_stats"] is True
    answer(probe, question)
    expect(dialog.get_by_label("Hold running statistics")).to_be_checked()
    dialog.get_by_label("Run without a graph").check()
    dialog.get_by_role("button", name="Freeze").click()
    entry = page.page.locator("#commands [data-command]")
    expect(entry).to_contain_text("without a graph (no_grad) · running statistics held")
    command = probe.until_command(int(entry.get_attribute("data-command") or ""))
    assert (command["mode"], command["hold_stats"]) == ("no_grad", True)


def test_a_thaw_can_reset_the_optimizers_state(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """Only a thaw offers it; what it drops is shown before it is sent."""
    probe.send({"type": "frozen", "seq": 2, "frozen": [{**HELD, "parameters": [0, 1]}]})
    probe.sample(3, [0.5, 0.25, 0.125], [FROZEN, FROZEN, PRESENT])
    page = open_run(run)
    toggle = page.module("a").get_by_role("checkbox")
    expect(toggle).to_have_attribute("title", re.compile("no_grad.*running statistics held"))
    expect(toggle).to_have_accessible_name(re.compile("no_grad.*running statistics held"))
    expect(page.row("a.weight").locator(".state")).to_have_attribute(
        "title", re.compile("without a graph")
    )
    dialog = ask(page)
    answer(probe, until_asked(probe))
    expect(fact(dialog, "Optimizer state")).to_have_text("420 MB kept")
    dialog.get_by_label("Reset optimizer state").check()
    answer(probe, until_asked(probe))
    expect(fact(dialog, "Optimizer state")).to_have_text("420 MB dropped")
    dialog.get_by_role("button", name="Thaw").click()
    entry = page.page.locator("#commands [data-command]")
    expect(entry).to_contain_text("optimizer state reset")
    command = probe.until_command(int(entry.get_attribute("data-command") or ""))
    assert (command["kind"], command["reset_state"]) == ("thaw", True)


def test_a_frozen_module_can_be_frozen_in_another_way(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The question offers both kinds, and begins with the way in which it is frozen."""
    probe.send({"type": "frozen", "seq": 2, "frozen": [{**HELD, "parameters": [0, 1]}]})
    page = open_run(run)
    expect(page.module("a").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    dialog = ask(page)
    expect(dialog.get_by_label("Thaw", exact=True)).to_be_checked()
    expect(dialog.get_by_label("Run without a graph")).to_be_hidden()
    dialog.get_by_label("Freeze", exact=True).check()
    expect(dialog.get_by_label("Run without a graph")).to_be_checked()
    expect(dialog.get_by_label("Hold running statistics")).to_be_checked()
    expect(dialog.get_by_label("Reset optimizer state")).to_be_hidden()
    expect(dialog.get_by_role("button", name="Freeze")).to_be_visible()


def test_the_question_is_answered_by_keyboard(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The primary button has the focus; Tab goes round inside, and arrows choose the mode."""
    page = open_run(run)
    page.press("Home", "ArrowDown", "Space")
    dialog = page.page.get_by_role("dialog")
    answer(probe, until_asked(probe))
    expect(dialog).to_contain_text("No warnings")
    primary = dialog.get_by_role("button", name="Freeze")
    expect(primary).to_be_focused()
    keyboard = page.page.keyboard
    keyboard.press("Tab")
    expect(dialog.get_by_label("Stop its gradients")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(dialog.get_by_label("Run without a graph")).to_be_checked()
    keyboard.press("Tab")
    expect(dialog.get_by_label("Lasts")).to_be_focused()
    keyboard.press("Tab")
    expect(dialog.get_by_role("group", name="What it will touch")).to_be_focused()
    keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    for _ in range(4):
        keyboard.press("Shift+Tab")
    expect(primary).to_be_focused()
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.page.locator("#tree")).to_be_focused()
    expect(page.page.locator("#commands [data-command]")).to_have_count(0)


def test_a_held_enter_does_not_answer(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """The key press that opens the question is not its answer, however long it is held."""
    page = open_run(run)
    page.press("Home")
    keyboard = page.page.keyboard
    for _ in range(5):
        keyboard.down("Enter")
    keyboard.up("Enter")
    expect(page.page.get_by_role("dialog")).to_be_visible()
    keyboard.press("Enter")
    expect(page.page.get_by_role("dialog")).to_be_hidden()
    expect(page.page.locator("#commands [data-command]")).to_have_count(1)


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("size", [(1280, 800), (400, 700), (800, 420)])
def test_the_question_fits_into_the_window(
    size: tuple[int, int], probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """However much the job says, the buttons can be reached and nothing is cut at the side."""
    page = open_run(run, viewport=ViewportSize(width=size[0], height=size[1]))
    dialog = ask(page, "b")
    names = [f"a.very.long.path.of.module.{i}.norm" for i in range(20)]
    warnings = [f"{name} goes on." for name in names[:4]]
    answer(probe, until_asked(probe), running_stats=names, cut_off=names, warnings=warnings)
    expect(dialog).to_contain_text("and 17 or more others")
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] + box["height"] <= size[1]
    assert dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") == 0
    dialog.get_by_role("button", name="Freeze").click()
    expect(dialog).to_be_hidden()
