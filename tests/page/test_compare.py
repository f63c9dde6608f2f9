"""Runs beside each other."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import OpenPage, Play
from tests.support.probing import ABSENT, PRESENT
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

OTHER = "0" * 15 + "c"


def test_two_runs_differ_where_they_do(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """Metrics over each other, what was frozen, and norms by name, which can be filtered."""
    first = play(run, "a.weight", "b.weight", name="first")
    second = play(OTHER, "a.weight", "b.weight", "c.bias", name="<i>second</i>")
    first.sample(1, [0.5, 0.25])
    second.sample(1, [0.5, float("nan"), 8.0], [PRESENT, ABSENT, PRESENT])
    for seq, (probe, scale) in enumerate(((first, 1.0), (second, 3.0)), start=2):
        for step in (1, 2):
            probe.send(metrics(seq * 10 + step, step, scale / step))
        probe.until_acked(seq * 10 + 2)
    number = page_server.post(f"/api/runs/{run}/commands", FREEZE).json()["id"]
    first.report(90, number, "applied", step=7, parameters=[0])
    for probe, rate in ((first, 0.1), (second, 0.3)):
        group = {"optimizer": "SGD", "number": 0, "group": 0, "parameters": [[0, 1]]}
        groups = [{**group, "options": {"lr": rate, "momentum": 0.9}}]
        probe.send({"type": "optimizers", "seq": 91, "step": 7, "groups": groups})
        probe.until_acked(91)

    page = open_page()
    page.goto(f"{page_server.url}/compare?run={run}&run={OTHER}")
    heads = page.locator("#ratios thead th.run")
    expect(heads).to_have_text(["first", "<i>second</i>"])
    figure = page.locator("#metrics figure")
    expect(figure.locator("figcaption")).to_have_text(["loss"])
    expect(figure.locator(".scatterlayer .js-line")).to_have_count(2)
    frozen = page.locator("#differences tr.differs", has_text="Freeze a.weight")
    expect(frozen.locator("td")).to_have_text(["at step 7", "–"])
    rate = page.locator("#differences tr.differs", has_text="Learning rate")
    expect(rate.locator("td")).to_have_text(["0.1", "0.3"])
    same = page.locator("#differences tr", has_text="Momentum")
    expect(same).to_be_hidden()
    page.get_by_role("button", name="are the same").click()
    expect(same.locator("td")).to_have_text(["0.9", "0.9"])
    rows = page.locator("#ratios tbody tr")
    expect(rows).to_have_text(
        [re.compile("^b.weight"), re.compile("^c.bias"), re.compile("^a.weight")]
    )
    expect(rows.first.locator("td")).to_have_text(["0.250", "absent"])
    expect(rows.nth(1).locator("td")).to_have_text(["not there", "8.00"])
    page.locator("#filter").fill("a.*")
    expect(rows).to_have_count(1)
    expect(page.locator("#matches")).to_have_text("1 parameter")


def test_a_run_that_is_gone_is_told_and_the_other_is_there(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """And what to do with one alone."""
    play(run, "a.weight").sample(1, [0.5])
    page = open_page(refusals=[404])
    page.goto(f"{page_server.url}/compare?run={run}&run=ffffffffffffffff")
    expect(page.locator("#banner")).to_contain_text("ffffffffffffffff")
    expect(page.locator("#hint")).to_contain_text("choose two to 8 in the list of runs")
    expect(page.locator("#compared li")).to_have_count(1)
    page.goto(f"{page_server.url}/compare?run={run}@0-1")
    expect(page.locator("#hint")).to_contain_text("One run is named")
    expect(page.locator("#hint")).not_to_contain_text("Another range")
    expect(page.get_by_role("link", name="Another range")).to_have_count(0)


def test_two_ranges_of_one_run_stand_beside_each_other(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """With the mean norms of each, their ratio as a heat map, and lines by time."""
    probe = play(run, "a.weight", "b.weight", name="one")
    for step in range(1, 21):
        probe.sample(step, [0.5, 0.25 if step <= 10 else 2.0], at=1000.0 + 30 * step)
    for step in range(1, 21):
        probe.send(metrics(20 + step, step, 1 / step))
    probe.until_acked(40)
    page = open_page()
    page.goto(f"{page_server.url}/compare?run={run}")
    page.get_by_role("link", name="Another range").click()
    expect(page).to_have_url(re.compile("run=.*%400-10&run=.*%4011-20&align=start"))
    heads = page.locator("#ratios thead th.run")
    expect(heads).to_have_text(["one, steps 0 to 10", "one, steps 11 to 20"])
    first = page.locator("#ratios tbody tr").first
    expect(first.locator("th")).to_have_text("b.weight")
    expect(first.locator("td")).to_have_text(["0.250", "2.00 ×8.00"])
    expect(page.locator("#align")).to_have_value("start")
    page.locator("#align").select_option("step")
    expect(page.locator("#ratio-map .caption")).to_contain_text("from where each begins, above")
    page.locator("#align").select_option("start")
    canvas = page.locator("#ratio-map canvas")
    tip = page.locator("#ratio-map .tip")

    def points_at_b() -> bool:
        canvas.hover(position={"x": 600, "y": 126})
        return "b.weight" in (tip.text_content() or "")

    wait_for(points_at_b, 10, "the ratio is drawn, and nothing above it moves any more")
    expect(tip).to_contain_text(re.compile(r"×(7\.9|8\.0)"))
    page.go_back()
    expect(page.locator("#align")).to_have_value("step")
    page.goto(f"{page.url}&align=start&within=b")
    crumbs = page.get_by_role("navigation", name="Module of the ratio")
    crumbs.get_by_role("button", name="All").click()
    expect(page).to_have_url(re.compile("align=start$"))
    expect(crumbs).to_be_hidden()
    page.go_back()
    expect(crumbs.get_by_role("button")).to_have_text(["All", "b"])
    page.locator("#align").select_option("time")
    ticks = page.locator("#metrics .xaxislayer-above text")
    expect(ticks.last).to_contain_text("min")
    expect(page).to_have_url(re.compile("align=time"))
    steps = page.get_by_label("Last step of one, steps 11 to 20")
    for wrong in ("5", ""):
        steps.fill(wrong)
        steps.press("Enter")
        said = steps.evaluate("input => input.validationMessage")
        assert "Give whole steps from 0 to 20" in said
        expect(page).to_have_url(re.compile("%4011-20"))
    steps.fill("15")
    steps.press("Enter")
    expect(heads.last).to_have_text("one, steps 11 to 15")


FREEZE = {"kind": "freeze", "target": "a.weight", "mode": "grad", "by": "browser"}


def metrics(seq: int, step: int, loss: float) -> dict[str, object]:
    """A `metrics` frame."""
    return {"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": {"loss": loss}}
