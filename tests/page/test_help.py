"""What a page says of itself, and what of a run can be taken along."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play


def test_a_question_mark_shows_the_keys(play: Play, open_run: OpenRun, run: str) -> None:
    """Also with the version and the way to the documentation; in a field it is a letter."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_run(run).page
    page.locator("#filter").press("?")
    dialog = page.get_by_role("dialog", name="Keys and help")
    expect(dialog).to_be_hidden()
    expect(page.locator("#filter")).to_have_value("?")
    page.locator("#tree").press("?")
    expect(dialog).to_contain_text("Freeze or thaw the row")
    absent = dialog.locator("#signs > div", has_text="absent: Trainable, and its gradient is None.")
    inks = absent.locator("canvas").evaluate(
        "each => new Set(new Uint32Array(each.getContext('2d').getImageData(0, 0, each.width, "
        "each.height).data.buffer)).size"
    )
    assert inks > 1, "a pattern and its ground"
    expect(dialog).to_contain_text(re.compile(r"Gradgate \d+\.\d+"))
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#tree")).to_be_focused()
    page.get_by_role("button", name="Keys and help").click()
    dialog.get_by_role("link", name="Documentation").click()
    expect(page.get_by_role("heading", name="Documentation")).to_be_visible()
    page.locator("body").press("?")
    expect(dialog).to_contain_text("Show this")


def test_a_run_is_exported_from_its_page(play: Play, open_run: OpenRun, run: str) -> None:
    """As a report, and as tables of either format."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    probe.until_acked(1)
    page = open_run(run).page
    for name, file in (
        ("Report", f"gradgate-{run}.html"),
        ("Parquet", f"gradgate-{run}-parquet.zip"),
        ("CSV", f"gradgate-{run}-csv.zip"),
    ):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == file
        assert download.value.path().stat().st_size > 0
        expect(page.get_by_role("link", name=name)).to_be_hidden()
    page.goto(f"{page.url}?why=a.weight")
    expect(page.locator("#why")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="CSV")).to_be_hidden()
    expect(page.get_by_role("button", name="Export")).to_be_focused()
    assert "why=" in page.url, "Escape closes the menu alone"
