"""Themes, and the view that is the URL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import ABSENT, FROZEN, GATED, NONFINITE, PRESENT, STALE, ZERO

STATES = {
    "present": PRESENT,
    "zero": ZERO,
    "nonfinite": NONFINITE,
    "absent": ABSENT,
    "stale": STALE,
    "frozen": FROZEN,
    "gated": GATED,
}
PANELS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 28)"}


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_system(theme: str, play: Play, open_run: OpenRun, run: str) -> None:
    """Without a choice the page is as light or dark as the system, its charts included."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run, color_scheme=theme)
    expect(page.page.locator("html")).to_have_attribute("data-theme", theme)
    expect(page.page.locator(".flow.panel")).to_have_css("background-color", PANELS[theme])


def test_a_chosen_theme_is_kept(play: Play, open_run: OpenRun, run: str) -> None:
    """Dark, once chosen, is there after a reload, before anything is painted."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run, color_scheme="light")
    page.page.get_by_role("button", name="Dark").click()
    expect(page.page.locator("html")).to_have_attribute("data-theme", "dark")
    page.page.add_init_script(
        "new MutationObserver(() => document.body && (window.firstTheme ??= "
        "document.documentElement.dataset.theme)).observe(document, "
        "{childList: true, subtree: true})"
    )
    page.page.reload()
    page.page.locator("#tree .row").first.wait_for()
    assert page.page.evaluate("window.firstTheme") == "dark"
    page.page.get_by_role("button", name="Auto").click()
    expect(page.page.locator("html")).to_have_attribute("data-theme", "light")


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_has_its_word_and_a_drawn_glyph(
    theme: str, play: Play, open_run: OpenRun, run: str
) -> None:
    """Each state is a word beside a shape of its own that stands out from its ground."""
    probe = play(run, *STATES)
    norms = [0.5, 0.0, *[float("nan")] * 2, 0.25, *[float("nan")] * 2]
    probe.sample(1, norms, list(STATES.values()))
    page = open_run(run, color_scheme=theme)
    shapes = set()
    for state in STATES:
        cell = page.row(state).locator(".state")
        expect(cell.locator(".words")).to_have_text(state)
        glyph = cell.locator("svg path")
        box = glyph.bounding_box()
        assert box is not None
        assert box["width"] >= 6
        assert box["height"] >= 6
        stroke = glyph.evaluate("path => getComputedStyle(path).stroke")
        assert stroke not in ("none", PANELS[theme])
        shapes.add((glyph.get_attribute("d"), glyph.get_attribute("fill") == "none"))
    assert len(shapes) == len(STATES)


def test_the_view_survives_a_reload(play: Play, open_run: OpenRun, run: str) -> None:
    """Filter, selection, tab and collapsed modules are in the URL and come back from it."""
    names = ["encoder.conv.weight", "encoder.conv.bias", "decoder.weight"]
    play(run, *names).sample(1, [0.5, 0.25, 0.125])
    page = open_run(run)
    page.row("decoder.weight").locator(".label").click()
    page.row("encoder.conv.bias").locator(".label").click(modifiers=["Control"])
    page.module("encoder.conv").locator(".label").click()
    page.page.get_by_role("tab", name="Metrics").click()
    query = parse_qs(urlsplit(page.page.url).query)
    assert query == {
        "selected": ["decoder.weight", "encoder.conv.bias"],
        "tab": ["metrics"],
        "collapsed": ["encoder.conv"],
    }

    page.page.reload()
    expect(page.module("encoder.conv")).to_have_attribute("aria-expanded", "false")
    expect(page.row("decoder.weight")).to_have_attribute("aria-selected", "true")
    expect(page.page.get_by_role("tab", name="Metrics")).to_have_attribute("aria-selected", "true")
    page.expect_rows(["model", "encoder", "conv", "decoder", "weight"])

    page.page.locator("#filter").fill("bias")
    page.page.reload()
    expect(page.page.locator("#filter")).to_have_value("bias")
    expect(page.page.locator("#matches")).to_have_text("1 of 3")
    page.expect_rows(["model", "encoder", "conv", "bias"])


def test_back_undoes_what_a_person_did(play: Play, open_run: OpenRun, run: str) -> None:
    """One thing after the other, and Forward does it again; a word typed is one thing."""
    play(run, "a.weight", "b.weight").sample(1, [0.5, 0.25])
    page = open_run(run)
    page.row("a.weight").locator(".label").click()
    page.page.locator("#filter").press_sequentially("weight")
    page.page.get_by_role("tab", name="Metrics").click()
    metrics = page.page.get_by_role("tab", name="Metrics")
    page.page.go_back()
    expect(metrics).to_have_attribute("aria-selected", "false")
    expect(page.row("a.weight")).to_have_attribute("aria-selected", "true")
    expect(page.page.locator("#filter")).to_have_value("weight")
    page.page.go_back()
    expect(page.row("a.weight")).to_have_attribute("aria-selected", "false")
    expect(page.page.locator("#filter")).to_have_value("")
    page.page.go_forward()
    expect(page.row("a.weight")).to_have_attribute("aria-selected", "true")
    assert urlsplit(page.page.url).path == f"/runs/{run}"


def test_an_unknown_selection_is_dropped(play: Play, open_run: OpenRun, run: str) -> None:
    """A name that is not in the table leaves the others' lines alone, and is no failure."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run, "?selected=gone&selected=a.weight").page
    expect(page.locator("#key .entry")).to_have_count(1)
    expect(page.locator("#lines .scatterlayer .js-line").first).to_be_attached()
    assert parse_qs(urlsplit(page.url).query) == {"selected": ["a.weight"]}
    expect(page.locator("#failure")).to_be_hidden()
    expect(page.locator("#fetch-failure")).to_be_hidden()


def test_a_click_in_the_flow_chart_finds_the_parameter(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """It opens what hides the parameter, selects it and makes its row the current one."""
    play(run, "encoder.weight", "decoder.weight").sample(1, [0.5, 0.25])
    page = open_run(run, "?collapsed=encoder")
    expect(page.row("encoder.weight")).to_have_count(0)
    point = page.page.locator("#flow .scatterlayer .point").first
    point.hover(force=True)
    expect(page.page.locator("#flow .hoverlayer")).to_contain_text("norm 0.500")
    box = point.bounding_box()
    assert box is not None
    page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.row("encoder.weight")).to_have_attribute("aria-selected", "true")
    assert page.current() == "weight"
