"""What happened in the run: listed as it happens, narrowed, shown in the charts, and dismissed."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import NONFINITE, PRESENT, alert

HOSTILE = "a.<img src=x onerror=alert(1)>‮weight"


def test_what_happens_is_listed_and_dismissed(play: Play, open_run: OpenRun, run: str) -> None:
    """Newest first and live, alerts counted at the tab; a dismissal can be undone."""
    probe = play(run, HOSTILE, "a.bias")
    probe.sample(1, [0.5, 0.25])
    probe.until_acked(1)
    page = open_run(run).page
    tab = page.get_by_role("tab", name="Events")
    expect(tab).to_have_text("Events")
    page.get_by_role("button", name="1 event, at step 0").click()
    expect(tab).to_have_attribute("aria-selected", "true")
    items = page.locator("#events > li[data-event]")
    expect(items).to_contain_text(["The run began at step 0."])
    probe.sample(2, [float("nan"), 0.25], [NONFINITE, PRESENT])
    expect(tab).to_have_text("Events (1 open)")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(page.locator("#trouble")).to_contain_text("1 open alert, at step 2")
    first = items.first
    expect(first).to_have_attribute("data-level", "alert")
    expect(first.locator(".kind")).to_contain_text("non-finite")
    told = "NaN or infinity in the gradient of a.<img src=x onerror=alert(1)>"
    expect(first.locator(".sentence")).to_contain_text(told)
    page.get_by_role("tab", name="Commands").click()
    page.locator("#trouble").get_by_role("button", name="1 open alert").click()
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(re.compile("event=2&from=0&to=22$"))
    first.get_by_role("button", name="Dismiss: non-finite, step 2").click()
    expect(tab).to_have_text("Events")
    expect(items).to_have_count(1)
    undo = page.locator("#event-undo")
    expect(undo).to_contain_text("Dismissed: non-finite, step 2.")
    undo.get_by_role("button", name="Undo").click()
    expect(tab).to_have_text("Events (1 open)")
    expect(items).to_have_count(2)
    expect(undo).to_be_hidden()


def test_code_in_an_event_looks_like_code(play: Play, open_run: OpenRun, run: str) -> None:
    """In the list and at the row of the tree, without the backticks of the sentence."""
    probe = play(run, "a.weight", "a.bias")
    probe.sample(1, [0.5, 0.25])
    probe.alerts(2, alert(detail="It is cut at `h.detach()`."))
    page = open_run(run, "?log=events").page
    told = page.locator("#events > li[data-event] .sentence", has_text="It is cut at h.detach().")
    expect(told.locator("code", has_text="h.detach()")).to_be_visible()
    expect(page.locator("[title*='It is cut at h.detach().']")).not_to_have_count(0)


def test_an_event_is_shown_in_the_charts(play: Play, open_run: OpenRun, run: str) -> None:
    """The list narrows, its choice is in the link, and a step leads to what was around it."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, 0.25])
    probe.sample(100, [0.5, float("nan")], [PRESENT, NONFINITE])
    probe.until_acked(2)
    page = open_run(run, "?log=events").page
    items = page.locator("#events > li[data-event]")
    expect(items).to_have_count(2)
    page.get_by_role("combobox", name="Kind of event").select_option("nonfinite")
    expect(items).to_have_count(1)
    page.get_by_role("button", name="Show step 100 in the heat map").click()
    expect(items).to_have_attribute("aria-current", "true")
    link = re.compile(r"selected=b\.weight&.*event_kind=nonfinite&event=2&from=80&to=120$")
    expect(page).to_have_url(link)
    expect(page.locator('#tree .row[aria-selected="true"]')).to_contain_text("weight")
    page.go_back()
    expect(page).not_to_have_url(re.compile("from="))
    page.go_forward()
    page.reload()
    expect(items).to_have_attribute("aria-current", "true")
    page.get_by_role("searchbox", name="Words of the event").fill("nothing like it")
    expect(page.locator("#events")).to_have_text(re.compile("No event is like this"))
