"""Names that come from a job are text, whatever they hold."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import OpenPage, OpenRun, Play
from tests.support.serving import ServerProcess

MARKUP = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>&amp;%{x}$a$"
LONG = "n" * 500


def test_hostile_names_are_shown_as_they_are(play: Play, open_run: OpenRun, run: str) -> None:
    """Markup in names is neither run nor parsed: in the tree, the charts, the log and the title."""
    probe = play(run, MARKUP, IMAGE, LONG, name=MARKUP)
    probe.sample(1, [0.5, 0.25, 0.125])
    page = open_run(run)
    dialogs: list[str] = []
    page.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for name in (MARKUP, IMAGE, LONG):
        expect(page.row(name).locator(".name")).to_have_text(name)
    expect(page.page.locator("h1")).to_have_text(MARKUP)

    page.row(MARKUP).locator(".label").click()
    expect(page.page.locator("#key")).to_contain_text(MARKUP)
    page.row(IMAGE).locator(".label").click(modifiers=["Control"])
    page.row(LONG).locator(".label").click(modifiers=["Control"])
    expect(page.page.locator("#lines .scatterlayer .js-line").first).to_be_attached()

    page.row(MARKUP).get_by_role("checkbox").click()
    expect(page.page.get_by_role("dialog")).to_contain_text(f"Freeze {MARKUP}")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#commands [data-command]")).to_contain_text(MARKUP)

    point = page.page.locator("#flow .scatterlayer .point").first
    point.hover(force=True)
    expect(page.page.locator("#flow .hoverlayer")).to_contain_text(MARKUP)
    assert page.page.locator("img[src=x], body script").count() == 0
    assert dialogs == []


def test_a_long_name_does_not_break_the_layout(play: Play, open_run: OpenRun, run: str) -> None:
    """A name of 500 characters keeps its row's columns and the page's width."""
    probe = play(run, "a.weight", LONG)
    probe.sample(1, [0.5, 0.25])
    page = open_run(run)
    boxes = [page.row(name).locator(".norm").bounding_box() for name in ("a.weight", LONG)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] == boxes[1]["x"]
    assert page.page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    expect(page.row(LONG).locator(".name")).to_have_attribute("title", LONG)


def test_a_model_without_parameters_says_so(play: Play, open_run: OpenRun, run: str) -> None:
    """An empty model has a bare tree and a sentence in place of the chart."""
    play(run)
    page = open_run(run)
    page.expect_rows(["model"])
    for panel in ("#flow", "#heatmap"):
        hint = page.page.locator(f"{panel} .hint")
        expect(hint).to_have_text("This model has no parameters.")


def test_no_name_is_disguised(play: Play, open_run: OpenRun, run: str) -> None:
    """Control characters are seen as symbols, so that no name can pass for another."""
    turned, broken = "a.weight\u202esaib", "a.weight\nbias"
    play(run, turned, broken, name="digits\u202e2").sample(1, [0.5, 0.25])
    page = open_run(run)
    names = page.page.locator('#tree .row[data-kind="parameter"] .name')
    expect(names).to_have_text(["weight⟨U+202E⟩saib", "weight␊bias"], use_inner_text=True)
    expect(page.page.locator("h1")).to_have_text("digits⟨U+202E⟩2")
    expect(page.page).to_have_title("digits⟨U+202E⟩2 · Gradgate")
    names.first.click()
    expect(page.page.locator("#key")).to_contain_text("⟨U+202E⟩")
    assert "\u202e" not in page.page.locator("body").inner_text()


RIGHT_TO_LEFT = "שלום.weight"
MARKS = "a\u202eb\u2066c\u200bd\u3164e"
MARKED = "a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d⟨U+3164⟩e"
LIKE_A_KEY = ("__proto__", "constructor", "../..", "CON", "=cmd|' /C calc'!A0")
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def test_what_people_and_jobs_write_is_inert_everywhere(
    play: Play, open_run: OpenRun, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """Names of runs, groups, parameters and metrics, tags and notes: in every page they are text.

    Nothing of them runs, each is seen whole or by its marks, and no page grows wider.
    """
    names = (MARKUP, RIGHT_TO_LEFT, MARKS, *LIKE_A_KEY)
    name = f"{MARKUP}{MARKS}"
    probe = play(run, *names, name=name, group=f"{IMAGE}{MARKS}")
    probe.sample(1, [0.5] * len(names))
    other = f"{run[:-1]}{'1' if run[-1] == '0' else '0'}"
    play(other, *names, name=name).sample(1, [0.25] * len(names))
    values = dict.fromkeys((*names, "m" * 512), 0.5)
    probe.send({"type": "metrics", "seq": 2, "step": 1, "time": 1.0, "values": values})
    probe.until_acked(2)
    notes = f"{IMAGE}\n{MARKS}\n{'n' * 8000}"
    edit = {"tags": [MARKUP, MARKS, "t" * 64, *LIKE_A_KEY], "notes": notes}
    assert page_server.patch(f"/api/runs/{run}", edit).status_code == 200

    pages = []
    dialogs: list[str] = []
    for path in ("/", f"/compare?run={run}&run={other}", f"/runs/{run}"):
        page = open_page()
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto(page_server.url + path)
        expect(page.locator("body")).to_contain_text(f"{MARKUP}{MARKED}")
        pages.append(page)
    tree = pages[-1].locator("#tree")
    for each in (MARKUP, MARKED, "__proto__", "constructor", "CON", "=cmd|' /C calc'!A0"):
        expect(tree.get_by_text(each, exact=True)).to_have_count(1)
    listed = pages[0].locator(f'tr[data-run="{run}"]')
    expect(listed.locator(".tags")).to_contain_text("__proto__")
    expect(listed.locator('[data-cell="notes"]')).to_contain_text(IMAGE)
    for page in pages:
        assert page.evaluate(FITS), page.url
        assert page.locator("img[src=x], body script").count() == 0
        seen = page.locator("body").inner_text()
        assert not {"\u202e", "\u2066", "\u3164"} & set(seen), page.url
    assert dialogs == []
