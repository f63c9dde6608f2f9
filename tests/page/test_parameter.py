"""The figures of one parameter: what is looked at closely, while somebody looks."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.page.axe import complaints
from tests.page.conftest import OpenRun, Play
from tests.support.probing import FakeProbe


def until_focus(probe: FakeProbe, wanted: list[int]) -> None:
    """Wait until the job is told to look at these; what is looked at is told again and again."""
    message: dict[str, Any] = {}
    while message.get("type") != "focus" or message["parameters"] != wanted:
        message = probe.receive()


def test_a_parameter_is_looked_at_as_long_as_its_panel_is_open(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Its distributions come while it trains, and nothing is asked of the job once it is closed."""
    probe = play(run, "a.weight", "b.weight", focus=16)
    probe.sample(1, [1.0, 2.0], grad_max=[0.5, 0.25])
    page = open_run(run, "?selected=b.weight")
    page.page.get_by_role("button", name="Details: b.weight").click()
    panel = page.page.locator("#why")
    expect(panel.get_by_role("heading", name="Parameter b.weight")).to_be_visible()
    expect(panel.locator(".seen")).to_contain_text("The job is asked to look at it")
    until_focus(probe, [1])
    expect(panel.locator(".courses .plot svg").first).to_be_visible()
    courses = panel.locator(".courses")
    before = courses.bounding_box()
    probe.distributions(1200, 1)
    expect(panel.locator(".seen")).to_have_text(
        "Step 1,200, while you look. Its gradient is left from an earlier step."
    )
    assert courses.bounding_box() == before
    gradient = panel.locator("figure.gradient")
    expect(gradient).to_contain_text("8 numbers: 25 % zeros, 1 NaN")
    expect(gradient).to_contain_text("Norms of 4 rows: 1 of zeros only")
    expect(gradient.locator(".bars rect")).to_have_count(4)
    gradient.locator(".bars").press("ArrowRight")
    expect(gradient.locator(".pointed-words")).to_have_text("2 from −0.250 to −0.500")
    gradient.locator(".row-norms").press("End")
    expect(gradient.locator(".pointed-words")).to_have_text("Row 3: 0.250")
    assert complaints(page.page) == []
    expect(panel.locator("figure.weight")).to_contain_text("Its numbers cannot be read.")
    largest = panel.locator(".courses figure").filter(has_text="Largest gradient")
    expect(largest).to_contain_text("0.250")
    expect(panel.locator(".own-events")).to_contain_text("Nothing has happened to it")
    panel.get_by_role("button", name="Close").click()
    expect(page.page).not_to_have_url(re.compile("why="))
    until_focus(probe, [])
