"""What happened in the run: listed as it happens, and put aside."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import NONFINITE, PRESENT

HOSTILE = "a.<img src=x onerror=alert(1)>‮weight"


def test_what_happens_is_listed_and_put_aside(play: Play, open_run: OpenRun, run: str) -> None:
    """Newest first and live, alerts counted at the tab; what is put aside can be taken up again."""
    probe = play(run, HOSTILE, "a.bias")
    probe.sample(1, [0.5, 0.25])
    probe.until_acked(1)
    page = open_run(run).page
    tab = page.get_by_role("tab", name="Events")
    expect(tab).to_have_text("Events")
    tab.click()
    items = page.locator("#events > li")
    expect(items).to_contain_text(["The run began at step 0."])
    probe.sample(2, [float("nan"), 0.25], [NONFINITE, PRESENT])
    expect(tab).to_have_text("Events (1)")
    first = items.first
    expect(first).to_have_attribute("data-level", "alert")
    expect(first.locator(".kind")).to_have_text("non-finite")
    told = "NaN or infinity in the gradient of a.<img src=x onerror=alert(1)>"
    expect(first.locator(".sentence")).to_contain_text(told)
    expect(first.locator(".event-facts")).to_contain_text("step 2")
    first.get_by_role("button", name="Put aside: non-finite, step 2").click()
    expect(tab).to_have_text("Events")
    expect(items).to_contain_text(["The run began", "Show 1 put aside"])
    page.get_by_role("button", name="Show 1 put aside").click()
    page.get_by_role("button", name="Take up: non-finite, step 2").click()
    expect(tab).to_have_text("Events (1)")
    page.reload()
    expect(items.first.locator(".kind")).to_have_text("non-finite")
