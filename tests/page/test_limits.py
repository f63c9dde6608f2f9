"""For how long a freeze or a gate lasts, said on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.page.conftest import OpenRun, Play
from tests.page.previews import answer, until_asked
from tests.page.run_page import RunPage
from tests.support.probing import FakeProbe, gate

NAMES = ("a.weight", "a.bias", "b.weight")
STEPS = {"steps": 500, "seconds": None, "while_watched": False}


@pytest.fixture
def probe(play: Play, run: str) -> FakeProbe:
    """A probe of two modules, with one sample."""
    probe = play(run, *NAMES)
    probe.sample(1, [0.5, 0.25, 0.125])
    return probe


def ask(page: RunPage) -> Locator:
    """Ask to freeze a module; returns the dialog."""
    page.module("a").get_by_role("checkbox").click()
    return page.page.get_by_role("dialog")


def sent(page: RunPage, probe: FakeProbe) -> dict[str, Any]:
    """The command that the log has first, as the job is sent it."""
    entry = page.page.locator("#commands [data-command]").first
    return probe.until_command(int(entry.get_attribute("data-command") or ""))


def test_a_freeze_for_some_steps_is_sent_and_said(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """Nothing is sent before their number is there."""
    page = open_run(run)
    dialog = ask(page)
    answer(probe, until_asked(probe))
    dialog.get_by_label("Lasts").select_option(label="for steps:")
    freeze = dialog.get_by_role("button", name="Freeze")
    expect(freeze).to_have_attribute("aria-disabled", "true")
    expect(dialog).to_contain_text("Say for how many steps")
    dialog.get_by_label("Steps", exact=True).fill("500")
    dialog.get_by_label("Steps", exact=True).press("Tab")
    expect(dialog).to_contain_text("Not changed from the next step boundary, for 500 steps;")
    freeze.click()
    expect(page.page.locator("#commands [data-command]")).to_contain_text("for 500 steps")
    assert sent(page, probe)["limit"] == STEPS


def test_a_freeze_may_last_while_the_page_is_open(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The job is told that it is there, and again by the page that was loaded anew."""
    page = open_run(run)
    dialog = ask(page)
    answer(probe, until_asked(probe))
    dialog.get_by_label("Lasts").select_option(label="while this page is open")
    dialog.get_by_role("button", name="Freeze").click()
    number = sent(page, probe)["id"]
    for reload in (False, True):
        if reload:
            page.page.reload()
        while (frame := probe.receive())["type"] != "watched":
            pass
        assert frame["commands"] == [number]


def test_a_gate_shows_its_limit_and_keeps_it_when_it_is_changed(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """In the list, in the editor, and in what pausing sends."""
    probe.gates(2, gate(1, site="param:a.weight", limit=STEPS, parameters=[]))
    page = open_run(run)
    page.page.get_by_role("tab", name=re.compile("^Gates")).click()
    item = page.page.locator("#gates [data-gate]")
    expect(item).to_contain_text("for 500 steps")
    item.get_by_role("button", name=re.compile("Edit")).click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog.get_by_label("Lasts")).to_have_value("steps")
    expect(dialog.get_by_label("Steps", exact=True)).to_have_value("500")
    dialog.get_by_role("button", name="Cancel").click()
    item.get_by_role("button", name=re.compile("Pause")).click()
    page.page.get_by_role("tab", name="Commands").click()
    assert sent(page, probe)["limit"] == STEPS
