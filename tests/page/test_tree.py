"""The tree of a large model."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import ABSENT, PRESENT

BLOCKS = 100
NAMES = [
    f"blocks.{block}.{layer}.{kind}"
    for block in range(BLOCKS)
    for layer in ("query", "key", "value", "out", "norm")
    for kind in ("weight", "bias")
]
NORMS = [10 ** -(position % 7) for position in range(len(NAMES))]


def test_only_the_rows_in_sight_exist(play: Play, open_run: OpenRun, run: str) -> None:
    """1,000 parameters are fewer than 60 elements, closed below the depth that fits at first."""
    play(run, *NAMES).sample(1, NORMS)
    page = open_run(run)
    assert len(NAMES) == 1000
    expect(page.page.locator("#tree")).to_have_attribute("aria-rowcount", str(BLOCKS + 3))
    page.page.get_by_role("button", name="Expand all modules").click()
    expect(page.page.locator("#tree")).to_have_attribute("aria-rowcount", "1603")
    assert "depth=all" in page.page.url
    assert page.page.locator("#tree .row").count() < 60

    page.press("End")
    assert page.current() == "bias"
    expect(page.row(NAMES[-1])).to_be_in_viewport()
    page.press("Home")
    assert page.current() == "model"


def test_the_keyboard_walks_the_tree(play: Play, open_run: OpenRun, run: str) -> None:
    """Arrows move, open and close; the current row is named to a screen reader."""
    play(run, *NAMES).sample(1, NORMS)
    page = open_run(run)
    page.press("Home", "ArrowDown", "ArrowDown")
    assert page.current() == "0"
    page.press("ArrowRight", "ArrowLeft")
    page.expect_top_rows(["model", "blocks", "0", "1"])
    page.press("ArrowRight", "ArrowRight")
    assert page.current() == "query"
    page.press("ArrowLeft", "ArrowLeft")
    assert page.current() == "0"
    tree = page.page.locator("#tree")
    active = tree.get_attribute("aria-activedescendant")
    expect(page.page.locator(f"#{active}")).to_have_attribute("data-path", "blocks.0")
    expect(page.page.locator(f"#{active}")).to_have_attribute("aria-level", "3")


def test_the_filter_finds_by_name_and_glob(play: Play, open_run: OpenRun, run: str) -> None:
    """A slash goes to the filter; the tree shows the matches and the modules that hold them."""
    play(run, *NAMES).sample(1, NORMS)
    page = open_run(run)
    page.press("/")
    page.page.keyboard.type("blocks.7?.norm.*")
    expect(page.page.locator("#matches")).to_have_text("20 of 1000")
    expect(page.row("blocks.70.norm.weight")).to_be_visible()
    page.expect_top_rows(["model", "blocks", "70", "norm", "weight"])
    page.page.locator("#filter").fill("blocks.7.attention")
    expect(page.page.locator("#no-match")).to_contain_text(
        "No name has “blocks.7.attention” in it."
    )
    page.page.get_by_role("button", name="blocks.7. 10").click()
    expect(page.page.locator("#matches")).to_have_text("10 of 1000")
    expect(page.page.locator("#no-match")).to_be_hidden()
    page.press("/", "Escape")
    expect(page.page.locator("#matches")).to_have_text("1,000 parameters")


def test_a_large_model_is_frozen_as_one(play: Play, open_run: OpenRun, run: str) -> None:
    """The root's toggle asks for everything, in one command."""
    probe = play(run, *NAMES)
    probe.sample(1, NORMS)
    page = open_run(run)
    page.press("Home", "Space")
    expect(page.page.get_by_role("dialog")).to_contain_text("1,000 parameters, 8,000 numbers")
    page.page.keyboard.press("Enter")
    entry = page.page.locator("#commands [data-command]")
    number = int(entry.get_attribute("data-command") or "")
    assert probe.until_command(number)["target"] == "*"


def test_a_column_sorts_the_parameters(play: Play, open_run: OpenRun, run: str) -> None:
    """By how far the latest step moved them, largest first, with whole names; it is in the URL."""
    names = ["a.weight", "b.weight", "c.weight"]
    looked_at = {"update_ratio": [0.25, 0.5, float("nan")], "weight_norm": [1, 1, 1]}
    states = [PRESENT, ABSENT, PRESENT]
    probe = play(run, *names)
    probe.sample(1, [3, 1, 2], states, **looked_at)
    page = open_run(run)
    head = page.page.get_by_role("columnheader", name="Update")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    page.expect_rows(["b.weight", "a.weight", "c.weight"])
    expect(page.row("b.weight").locator(".ratio")).to_have_text("0.500")
    assert "sort=-update_ratio" in page.page.url
    page.page.get_by_role("button", name="Grad norm").click()
    page.expect_rows(["a.weight", "c.weight", "b.weight"])
    page.row("a.weight").hover()
    probe.sample(2, [1, 3, 2], [PRESENT, PRESENT, PRESENT])
    expect(page.row("a.weight").locator(".norm")).to_have_text("1.00")
    page.expect_rows(["a.weight", "c.weight", "b.weight"])
    page.page.mouse.move(0, 0)
    probe.sample(3, [3, 1, 2], states)
    expect(page.row("a.weight").locator(".norm")).to_have_text("3.00")
    page.page.get_by_role("button", name="State").click()
    page.expect_rows(["b.weight", "a.weight", "c.weight"])
    assert "sort=-state" in page.page.url
    page.page.get_by_role("button", name="Name").click()
    page.expect_top_rows(["model"])


def test_lines_show_the_statistic_that_is_chosen(play: Play, open_run: OpenRun, run: str) -> None:
    """Of movement those samples that took it."""
    play(run, "a.weight").sample(1, [3], weight_norm=[5])
    page = open_run(run)
    page.row("a.weight").click()
    asked = "stat=weight_norm"
    with page.page.expect_request(lambda request: asked in request.url):
        page.page.get_by_label("What the lines show").select_option("Weight norm")
    assert asked in page.page.url
