"""Axe finds nothing, on any page, in any dialog, in both themes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.axe import complaints
from tests.page.conftest import OpenPage, OpenRun, Play
from tests.page.previews import answer, until_asked
from tests.support.probing import (
    ABSENT,
    FROZEN,
    GATED,
    NONFINITE,
    PRESENT,
    STALE,
    ZERO,
    alert,
    explanation,
    gate,
)
from tests.support.serving import ServerProcess

STATES = (PRESENT, ZERO, NONFINITE, ABSENT, STALE, FROZEN, GATED)
NAN = float("nan")
NORMS = (0.5, 0.0, NAN, NAN, 0.25, NAN, NAN)


def test_axe_finds_nothing_in_a_run(play: Play, open_run: OpenRun, run: str) -> None:
    """In its panels with all states, its tabs, its menu, its questions, and what it explains."""
    names = [f"layers.weight{each}" for each in range(len(STATES) + 23)]
    probe = play(run, *names, name="digits")
    probe.sample(1, [*NORMS, *[0.5] * 23], [*STATES, *[PRESENT] * 23])
    probe.send({"type": "metrics", "seq": 2, "step": 1, "time": 1.0, "values": {"loss": 1.0}})
    probe.gates(3, gate(), gate(2, paused=True), gate(3, problem="no value is called nrom"))
    probe.explanations(4, 1, explanation(3, names[3]))
    probe.alerts(5, alert(2, names[2]), alert(None, name=None, cause="not_moving"))
    probe.until_acked(5)
    view = open_run(run, "?log=events")
    page = view.page
    view.row(names[0]).locator(".name").click()
    expect(page.locator("#events > [data-event]").first).to_be_visible()
    found = complaints(page)
    page.get_by_role("tab", name="Gates").click()
    found += complaints(page, ".log")

    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("link", name="CSV")).to_be_visible()
    found += complaints(page, "#export")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and help")).to_be_visible()
    found += complaints(page, "#help")
    page.keyboard.press("Escape")

    view.row(names[0]).get_by_role("checkbox").click()
    answer(probe, until_asked(probe), warnings=["It stops here."], running_stats=["a.norm"])
    question = page.get_by_role("dialog")
    expect(question.locator(".warnings li")).to_be_visible()
    found += complaints(page, "#confirm")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Commands").click()
    expect(page.locator("#commands [data-command]")).to_be_visible()
    found += complaints(page, ".log")

    view.press("Home", "ArrowDown", "ArrowDown", "g")
    page.get_by_label("Closed when").fill("norm > 2")
    while (asked := probe.until_question()).get("when") != "norm > 2":
        pass
    probe.answer_trial(asked, closed=[1], samples=1)
    expect(page.locator("#gate-editor .late")).to_contain_text("in 1 of")
    found += complaints(page, "#gate-editor")
    page.keyboard.press("Escape")

    view.row(names[3]).locator(".asker").click()
    expect(page.locator("#why")).to_be_visible()
    found += complaints(page, "#why")
    assert found == []


def test_axe_finds_nothing_elsewhere(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """In the list of runs, the comparison, the audit log, the documentation, and what is gone."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, NAN], [PRESENT, ABSENT])
    probe.alerts(2, alert())
    probe.until_acked(2)
    page_server.patch(f"/api/runs/{run}", {"tags": ["x"]})
    page = open_page(refusals=[404])
    page.goto(page_server.url)
    page.locator(f'[data-run="{run}"]').get_by_role("checkbox").check()
    found = complaints(page)
    for button in ("Edit…", "Delete…"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found += complaints(page, "dialog[open]")
        page.keyboard.press("Escape")
    for path, there in (
        (f"/compare?run={run}&run={run}@0-1", "#ratios tbody tr"),
        ("/audit", "#rows tr"),
        ("/docs", "main"),
        ("/causes", "main"),
        ("/causes/nonfinite", "main"),
        ("/runs/gone", "main"),
    ):
        page.goto(page_server.url + path)
        expect(page.locator(there).first).to_be_visible()
        found += complaints(page)
    assert found == []
