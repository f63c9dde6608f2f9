"""Runs beside each other."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import OpenPage, Play
from tests.support.probing import ABSENT, PRESENT
from tests.support.serving import ServerProcess

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
    first.until_acked(90)

    page = open_page()
    page.goto(f"{page_server.url}/compare?run={run}&run={OTHER}")
    heads = page.locator("#ratios thead th.run")
    expect(heads).to_have_text(["first", "<i>second</i>"])
    figure = page.locator("#metrics figure")
    expect(figure.locator("figcaption")).to_have_text(["loss"])
    expect(figure.locator(".scatterlayer .js-line")).to_have_count(2)
    frozen = page.locator("#differences tr.differs", has_text="Freeze a.weight")
    expect(frozen.locator("td")).to_have_text(["at step 7", "–"])
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


FREEZE = {"kind": "freeze", "target": "a.weight", "mode": "grad", "by": "browser"}


def metrics(seq: int, step: int, loss: float) -> dict[str, object]:
    """A `metrics` frame."""
    return {"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": {"loss": loss}}
