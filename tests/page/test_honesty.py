"""Nothing is shown as done before the job said so."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import OpenPage, OpenRun, Play
from tests.support.probing import ABSENT, FROZEN, PRESENT, table_row
from tests.support.serving import ServerProcess

PANELS = ("#heatmap", "#trouble", ".left.panel > .hint", "#lines", "#flow", "#commands")


def test_a_toggle_waits_for_the_job(play: Play, open_run: OpenRun, run: str) -> None:
    """A freeze is pending through requested and delivered, and done only when it is applied."""
    probe = play(run, "a.weight", "a.bias")
    probe.sample(1, [0.5, 0.25])
    page = open_run(run)
    toggle = page.row("a.weight").get_by_role("checkbox")
    toggle.click()
    page.page.keyboard.press("Enter")

    expect(toggle).to_have_attribute("data-pending", "freeze")
    expect(toggle).to_have_attribute("aria-checked", "false")
    entry = page.page.locator("#commands [data-command]")
    expect(entry.locator(".requested.done")).to_be_visible()
    expect(entry.locator(".delivered.waiting")).to_be_visible()
    number = int(entry.get_attribute("data-command") or "")
    assert probe.until_command(number)["target"] == "a.weight"

    probe.report(2, number, "delivered")
    expect(entry.locator(".delivered.done")).to_be_visible()
    expect(toggle).to_have_attribute("aria-checked", "false")

    probe.report(3, number, "applied", step=7, parameters=[0])
    frozen = {"command": number, "by": "browser", "mode": "grad", "since_step": 7}
    probe.send({"type": "frozen", "seq": 4, "frozen": [{**frozen, "parameters": [0]}]})
    expect(entry).to_contain_text("applied at step 7")
    expect(toggle).to_have_attribute("aria-checked", "true")
    expect(toggle).not_to_have_attribute("data-pending", "freeze")
    expect(page.page.locator("#announcement")).to_contain_text("applied at step 7")
    expect(entry.locator(".verified.done")).to_have_count(0)

    probe.report(5, number, "verified", step=7, parameters=[0])
    expect(entry.locator(".verified.done")).to_be_visible()


def test_a_state_is_never_shown_as_a_value(play: Play, open_run: OpenRun, run: str) -> None:
    """An absent gradient has a word and no norm, and one that nobody applies needs no trace."""
    rows = [table_row("a.weight"), table_row("a.bias"), table_row("b", in_optimizer=False)]
    probe = play(run, parameters=rows)
    probe.sample(1, [0.5, float("nan"), 0.25], [PRESENT, ABSENT, PRESENT])
    page = open_run(run)
    expect(page.row("b").locator(".state .words")).to_contain_text("not applied")
    expect(page.page.get_by_role("button", name="1 not in the optimizer")).to_be_visible()
    expect(page.row("a.bias").locator(".state .words")).to_have_text("absent")
    expect(page.row("a.bias").locator(".norm")).to_have_text("–")
    expect(
        page.page.locator("#flow .ytick, #flow .y2tick").filter(has_text="absent")
    ).to_be_visible()


def test_no_trouble_is_said_in_words(play: Play, open_run: OpenRun, run: str) -> None:
    """A run with nothing but present and frozen gradients says so, and counts the frozen calmly."""
    probe = play(run, "a.weight", "a.bias")
    probe.sample(1, [0.5, float("nan")], [PRESENT, FROZEN])
    page = open_run(run)
    expect(page.page.locator("#trouble")).to_contain_text("No trouble now")
    expect(page.page.get_by_role("button", name="1 frozen")).to_be_visible()


def test_a_finished_run_cannot_be_changed(play: Play, open_run: OpenRun, run: str) -> None:
    """The page says that the run has finished, and its toggles say why they do nothing."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run)
    probe.bye(1)
    banner = page.page.locator("#run-banner")
    expect(banner).to_contain_text("has finished")
    expect(banner).to_contain_text("stays here, until somebody deletes it")
    expect(page.page.locator("#trouble")).to_contain_text("No trouble at the end")
    toggle = page.row("a.weight").get_by_role("checkbox")
    expect(toggle).to_have_attribute("aria-disabled", "true")
    toggle.click(force=True)
    expect(page.page.get_by_role("dialog")).to_be_hidden()
    expect(page.page.locator("#failure")).to_have_text("The run has finished.")


def test_a_question_goes_when_the_run_ends(play: Play, open_run: OpenRun, run: str) -> None:
    """What can no longer be asked for is not offered: the dialog closes by itself."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run, refusals=[409])
    page.row("a.weight").get_by_role("checkbox").click()
    expect(page.page.get_by_role("dialog")).to_be_visible()
    probe.bye(1)
    expect(page.page.get_by_role("dialog")).to_be_hidden()
    expect(page.page.locator("#commands [data-command]")).to_have_count(0)


def test_the_probes_troubles_are_in_sight(play: Play, open_run: OpenRun, run: str) -> None:
    """Cost, dropped frames and faults are told, and what the figures are."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run)
    probe.heartbeat(1, cost=0.0083, every=3, dropped=12, faults=1)
    expect(page.page.locator('[data-fact="cost"]')).to_have_text(
        "0.8 % of step time, every 3rd step"
    )
    expect(page.page.locator('[data-fact="dropped"]')).to_have_text("12")
    expect(page.page.locator('[data-fact="faults"]')).to_have_text("1")
    expect(page.page.locator("#figures")).to_contain_text("about to apply")


def test_a_refused_command_stays_in_sight(play: Play, open_run: OpenRun, run: str) -> None:
    """The server's sentence is shown until a command succeeds, not until the next fetch does."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run, "?selected=a.weight", offline=True)
    commands = f"**/api/runs/{run}/commands"
    page.page.route(commands, lambda route: route.abort("connectionrefused"))
    page.row("a.weight").get_by_role("checkbox").click()
    page.page.keyboard.press("Enter")
    failure = page.page.locator("#failure")
    expect(failure).to_have_text("The server cannot be reached")
    with page.page.expect_response(lambda response: "/series" in response.url):
        probe.sample(2, [0.25])
    page.until_step(2)
    expect(failure).to_be_visible()

    page.page.unroute(commands)
    page.row("a.weight").get_by_role("checkbox").click()
    page.page.keyboard.press("Enter")
    expect(failure).to_be_hidden()


def test_what_was_not_fetched_is_neither_blank_nor_denied(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """Each panel says what it waits for, and only what the server has said is denied."""
    play(run, "a.weight").sample(1, [0.5])
    opened = open_page(offline=True)
    metrics = f"**/api/runs/{run}/metrics*"
    parameters = f"**/api/runs/{run}/parameters"
    for path in (metrics, parameters):
        opened.route(path, lambda route: route.abort("connectionrefused"))
    opened.goto(f"{page_server.url}/runs/{run}")
    failure = opened.locator("#fetch-failure")
    expect(failure).to_contain_text("Could not read the parameters and commands, trying again.")
    waiting = opened.locator("[data-waits-for]")
    expect(waiting).to_have_text([re.compile("^Reading the .* …$")] * len(PANELS))
    for panel in PANELS:
        expect(opened.locator(panel)).to_contain_text("Reading the ", use_inner_text=True)
    opened.unroute(parameters)
    opened.locator("#tree .row").first.wait_for()
    expect(opened.get_by_text("Reading the ").filter(visible=True)).to_have_count(0)
    expect(failure).to_contain_text("Could not read the lines, trying again.")
    hint = opened.locator("#lines .hint")
    expect(hint).to_have_text("The server has not told yet which metrics there are.")
    opened.unroute(metrics)
    expect(hint).to_contain_text("No metrics yet")
    expect(failure).to_be_hidden()
